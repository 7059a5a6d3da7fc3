package org.igniterealtime.openfire.plugin.heartbeat;

import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;

/** {@code /plugins/heartbeat/metrics}, for Prometheus; OpenMetrics for whoever says that it is understood. */
public final class MetricsServlet extends MachineServlet {
    private static final long serialVersionUID = 1L;
    private static final String OPENMETRICS = "application/openmetrics-text";

    @Override
    String answer(HeartbeatPlugin plugin, HttpServletRequest request, HttpServletResponse response) {
        String accept = request.getHeader("Accept");
        boolean open = accept != null && accept.contains(OPENMETRICS);
        response.setHeader("Vary", "Accept");
        response.setContentType(
                open ? OPENMETRICS + "; version=1.0.0; charset=utf-8" : "text/plain; version=0.0.4; charset=utf-8");
        return plugin.metrics(open);
    }
}
