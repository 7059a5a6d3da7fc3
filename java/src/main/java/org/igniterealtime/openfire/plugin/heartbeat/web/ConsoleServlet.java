package org.igniterealtime.openfire.plugin.heartbeat.web;

import java.io.IOException;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers administrators only. Openfire lets nobody else through; that somebody is logged in is looked at here too, as
 * exclusions from Openfire's check have been too wide before.
 *
 * <p>Openfire makes servlets before it initialises the plugin, so they ask for the plugin when they are visited.
 *
 * <p>Threads: any.
 */
abstract class ConsoleServlet extends HttpServlet {
    private static final Logger Log = LoggerFactory.getLogger(ConsoleServlet.class);

    private static final long serialVersionUID = 1L;

    /**
     * Nothing but our own files, no script or style within the page. The console's frame has style attributes; the
     * console's own policy, where it has one, holds too.
     */
    private static final String CONTENT_SECURITY_POLICY =
            "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self'; "
                    + "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'";

    /** Answers GET, and HEAD without what it writes. Changes nothing. */
    abstract void get(Visit visit) throws IOException;

    /** Answers POST; what has no forms refuses it. */
    void post(Visit visit) throws IOException {
        notAllowed(visit.response, methods());
    }

    /** The methods that it knows, as HTTP's header Allow has them. */
    String methods() {
        return "GET, HEAD";
    }

    @Override
    protected final void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
        protect(response);
        String administrator = Administrator.of(request);
        if (administrator == null) {
            response.sendError(HttpServletResponse.SC_FORBIDDEN);
            return;
        }
        request.setCharacterEncoding("UTF-8");
        Visit visit = new Visit(request, response, administrator, Texts.current());
        try {
            switch (request.getMethod()) {
                case "GET":
                case "HEAD":
                    get(visit);
                    break;
                case "POST":
                    post(visit);
                    break;
                default:
                    notAllowed(response, methods());
                    break;
            }
        } catch (RuntimeException | LinkageError e) {
            failed(response, e);
        }
    }

    /** Headers of whatever is answered. */
    private static void protect(HttpServletResponse response) {
        response.addHeader("Content-Security-Policy", CONTENT_SECURITY_POLICY);
        response.setHeader("X-Content-Type-Options", "nosniff");
        response.setHeader("Referrer-Policy", "same-origin");
        response.setHeader("Cache-Control", "no-store");
    }

    /** @param allowed the methods that are */
    static void notAllowed(HttpServletResponse response, String allowed) throws IOException {
        response.setHeader("Allow", allowed);
        response.sendError(HttpServletResponse.SC_METHOD_NOT_ALLOWED);
    }

    /** Says that something went wrong, and not what: that is for the log. */
    private void failed(HttpServletResponse response, Throwable e) throws IOException {
        Log.error("{} failed", getServletName(), e);
        if (!response.isCommitted()) {
            response.resetBuffer();
            response.sendError(HttpServletResponse.SC_INTERNAL_SERVER_ERROR);
        }
    }
}
