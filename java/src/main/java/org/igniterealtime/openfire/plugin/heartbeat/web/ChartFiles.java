package org.igniterealtime.openfire.plugin.heartbeat.web;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Properties;
import javax.servlet.http.HttpServletResponse;

/** uPlot's script and style sheet, as its authors published them, out of the library in our jar. */
public final class ChartFiles extends ConsoleServlet {
    private static final long serialVersionUID = 1L;

    private static final String ABOUT = "/META-INF/maven/org.webjars.npm/uplot/pom.properties";
    private static final String FOLDER = "/META-INF/resources/webjars/uplot/";
    private static final int BUFFER_BYTES = 8192;

    /** Of uPlot. */
    static final String VERSION = version();

    private static String version() {
        try (InputStream in = ChartFiles.class.getResourceAsStream(ABOUT)) {
            Properties about = new Properties();
            if (in != null) {
                about.load(in);
            }
            return about.getProperty("version", "none");
        } catch (IOException e) {
            return "none";
        }
    }

    @Override
    void get(Visit visit) throws IOException {
        HttpServletResponse response = visit.response;
        boolean script = visit.request.getRequestURI().endsWith(".js");
        String file = FOLDER + VERSION + (script ? "/dist/uPlot.iife.min.js" : "/dist/uPlot.min.css");
        try (InputStream in = ChartFiles.class.getResourceAsStream(file)) {
            if (in == null) {
                response.sendError(HttpServletResponse.SC_NOT_FOUND);
                return;
            }
            response.setContentType(script ? "text/javascript; charset=UTF-8" : "text/css; charset=UTF-8");
            // Its address names the version.
            response.setHeader("Cache-Control", "private, max-age=31536000, immutable");
            OutputStream out = response.getOutputStream();
            byte[] buffer = new byte[BUFFER_BYTES];
            for (int count = in.read(buffer); count > 0; count = in.read(buffer)) {
                out.write(buffer, 0, count);
            }
        }
    }
}
