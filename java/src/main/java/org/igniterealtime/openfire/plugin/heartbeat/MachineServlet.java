package org.igniterealtime.openfire.plugin.heartbeat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;

/** Answers machines that {@link MachineAccess} allows to read. */
abstract class MachineServlet extends HttpServlet {
    private static final long serialVersionUID = 1L;

    /** Null: the plugin is off. */
    abstract String answer(HeartbeatPlugin plugin, HttpServletRequest request, HttpServletResponse response);

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        response.setHeader("Cache-Control", "no-store");
        if (!MachineAccess.allows(request)) {
            response.setHeader("WWW-Authenticate", "Bearer");
            response.sendError(HttpServletResponse.SC_UNAUTHORIZED);
            return;
        }
        HeartbeatPlugin plugin = HeartbeatPlugin.loaded();
        String text = plugin == null ? null : answer(plugin, request, response);
        if (text == null) {
            response.sendError(HttpServletResponse.SC_SERVICE_UNAVAILABLE);
            return;
        }
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        response.setHeader("X-Content-Type-Options", "nosniff");
        response.setContentLength(bytes.length);
        response.getOutputStream().write(bytes);
    }
}
