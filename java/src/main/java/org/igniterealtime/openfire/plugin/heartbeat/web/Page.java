package org.igniterealtime.openfire.plugin.heartbeat.web;

import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import javax.servlet.http.HttpServletResponse;
import org.igniterealtime.openfire.plugin.heartbeat.HeartbeatPlugin;

/**
 * A page of the admin console: HTML from a template, around which Openfire puts its frame (meta pageID).
 *
 * <p>GET shows and changes nothing. POST changes: it must carry the form token of the session, and ends in a redirect.
 *
 * <p>Threads: any; a page has no state but its templates.
 */
abstract class Page extends ConsoleServlet {
    private static final long serialVersionUID = 1L;

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
    final String methods() {
        return "GET, HEAD, POST";
    }

    @Override
    final void get(Visit visit) throws IOException {
        if (visit.raw(DO) != null) {
            notAllowed(visit.response, "POST");
        } else {
            render(visit, new HashMap<>());
        }
    }

    @Override
    final void post(Visit visit) throws IOException {
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
        visit.response.getWriter().write(page);
    }
}
