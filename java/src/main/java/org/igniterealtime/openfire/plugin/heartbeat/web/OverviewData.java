package org.igniterealtime.openfire.plugin.heartbeat.web;

import com.google.gson.JsonObject;
import java.io.IOException;
import javax.servlet.http.HttpServletResponse;
import org.igniterealtime.openfire.plugin.heartbeat.HeartbeatPlugin;
import org.igniterealtime.openfire.plugin.heartbeat.Span;
import org.jivesoftware.util.JiveGlobals;

/**
 * The figures of the overview as JSON, for the script that draws them: {@code overview.json?span=hour}, {@code day} or
 * {@code week}. For other programs there is {@code HeartbeatPlugin.series}, whose form stays as it is.
 */
public final class OverviewData extends ConsoleServlet {
    private static final long serialVersionUID = 1L;

    @Override
    void get(Visit visit) throws IOException {
        HeartbeatPlugin plugin = HeartbeatPlugin.loaded();
        Span span = Span.of(visit.parameter("span"));
        String series = plugin == null ? null : plugin.series(span);
        if (series == null) {
            visit.response.sendError(HttpServletResponse.SC_SERVICE_UNAVAILABLE);
            return;
        }
        JsonObject json = Figures.of(series, span, visit.texts).json();
        json.addProperty("zone", JiveGlobals.getTimeZone().toZoneId().getId());
        json.addProperty("language", visit.texts.language());
        visit.response.setContentType("application/json; charset=UTF-8");
        visit.response.getWriter().write(json.toString());
    }
}
