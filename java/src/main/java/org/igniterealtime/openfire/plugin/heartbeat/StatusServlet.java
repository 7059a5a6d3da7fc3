package org.igniterealtime.openfire.plugin.heartbeat;

import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;

/** {@code /plugins/heartbeat/status}: the state as JSON, without anybody's name. */
public final class StatusServlet extends MachineServlet {
    private static final long serialVersionUID = 1L;

    @Override
    String answer(HeartbeatPlugin plugin, HttpServletRequest request, HttpServletResponse response) {
        response.setContentType("application/json; charset=utf-8");
        return plugin.status(false);
    }
}
