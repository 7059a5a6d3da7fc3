package org.igniterealtime.openfire.plugin.heartbeat.web;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.HashMap;
import java.util.Map;
import javax.servlet.ServletException;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.igniterealtime.openfire.plugin.heartbeat.HeartbeatPlugin;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A page of the admin console. Openfire puts its frame around it (meta pageID), and lets only administrators see it;
 * that somebody is logged in is looked at here too, as exclusions from Openfire's check have been too wide before.
 *
 * <p>GET shows and changes nothing. POST changes: it must carry the form token of the session, and ends in a redirect.
 * Openfire makes servlets before it initialises the plugin, so a page asks for the plugin when it is visited.
 *
 * <p>Threads: any; a page has no state but its templates.
 */
abstract class Page extends HttpServlet {
    private static final Logger Log = LoggerFactory.getLogger(Page.class);

    private static final long serialVersionUID = 1L;

    /**
     * Nothing but our own files, no script or style within the page. The console's frame has style attributes; the
     * console's own policy, where it has one, holds too.
     */
    private static final String CONTENT_SECURITY_POLICY =
            "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self'; "
                    + "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'";

    /** The parameter that says what a form does. */
    static final String DO = "do";

    private final String id;
    private final String template;

    /** @param id what plugin.xml calls the page in the menu, and the name of its template */
    Page(String id) {
        this.id = "heartbeat-" + id;
        this.template = id;
    }

    /** The entry of the menu that it belongs to. */
    String menuId() {
        return id;
    }

    /** Fills the model of the template. Called for GET, and for a POST that was refused. */
    abstract void show(Visit visit, Map<String, Object> model) throws IOException;

    /**
     * Does what a form asks for.
     *
     * @return where to go then, relative to this page; null: show the page, as something is wrong with what was sent
     */
    String act(Visit visit, String what, Map<String, Object> model) {
        return null;
    }

    @Override
    protected final void service(HttpServletRequest request, HttpServletResponse response)
            throws ServletException, IOException {
        String method = request.getMethod();
        boolean reads = "GET".equals(method) || "HEAD".equals(method);
        String administrator = Administrator.of(request);
        protect(response);
        if (administrator == null) {
            response.sendError(HttpServletResponse.SC_FORBIDDEN);
        } else if (!reads && !"POST".equals(method)) {
            notAllowed(response, "GET, HEAD, POST");
        } else if (reads && request.getParameter(DO) != null) {
            notAllowed(response, "POST");
        } else {
            request.setCharacterEncoding("UTF-8");
            Visit visit = new Visit(request, response, administrator, Texts.current());
            try {
                if (reads) {
                    get(visit);
                } else {
                    post(visit);
                }
            } catch (RuntimeException | LinkageError e) {
                failed(visit, e);
            }
        }
    }

    /** Headers for whatever we answer. */
    static void protect(HttpServletResponse response) {
        response.addHeader("Content-Security-Policy", CONTENT_SECURITY_POLICY);
        response.setHeader("X-Content-Type-Options", "nosniff");
        response.setHeader("Referrer-Policy", "same-origin");
        response.setHeader("Cache-Control", "no-store");
    }

    private static void notAllowed(HttpServletResponse response, String allowed) throws IOException {
        response.setHeader("Allow", allowed);
        response.sendError(HttpServletResponse.SC_METHOD_NOT_ALLOWED);
    }

    /** Shows the page. What is no HTML overrides it. */
    void get(Visit visit) throws IOException {
        Map<String, Object> model = new HashMap<>();
        render(visit, model);
    }

    private void post(Visit visit) throws IOException {
        Map<String, Object> model = new HashMap<>();
        String next = null;
        if (visit.hasToken()) {
            next = act(visit, visit.parameter(DO), model);
        } else {
            model.put("error", visit.texts.of("form-expired"));
        }
        if (next == null) {
            visit.response.setStatus(HttpServletResponse.SC_BAD_REQUEST);
            render(visit, model);
        } else {
            visit.response.sendRedirect(next);
        }
    }

    private void render(Visit visit, Map<String, Object> model) throws IOException {
        HeartbeatPlugin plugin = HeartbeatPlugin.loaded();
        model.put("id", menuId());
        model.put("text", visit.texts);
        model.put("token", visit.token());
        model.put("csrf", visit.openfiresToken());
        model.put("flash", visit.flash());
        model.put("refused", plugin == null ? visit.texts.of("not-loaded") : plugin.refusal());
        model.put("off", plugin != null && plugin.refusal() == null && !plugin.isOn());
        if (plugin != null) {
            model.put("version", plugin.version());
            show(visit, model);
        }
        String page = Templates.render(template, model);
        visit.response.setContentType("text/html; charset=UTF-8");
        PrintWriter out = visit.response.getWriter();
        out.write(page);
    }

    /** Says that something went wrong, and not what: that is for the log. */
    private void failed(Visit visit, Throwable e) throws IOException {
        Log.error("The page " + id + " failed", e);
        if (!visit.response.isCommitted()) {
            visit.response.resetBuffer();
            visit.response.sendError(HttpServletResponse.SC_INTERNAL_SERVER_ERROR);
        }
    }
}
