package org.igniterealtime.openfire.plugin.heartbeat.web;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Base64;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import javax.servlet.http.HttpSession;
import org.jivesoftware.openfire.security.SecurityAuditManager;

/** One request of an administrator. */
final class Visit {
    private static final SecureRandom RANDOM = new SecureRandom();
    private static final int TOKEN_BYTES = 24;

    private static final String TOKEN = "heartbeat.token";
    private static final String FLASH = "heartbeat.flash";

    /** Where Openfire (4.7.5 and later) keeps its own token, which serves once, and what it says of a missing one. */
    private static final String OPENFIRES_TOKEN = "csrf";

    private static final String OPENFIRES_ERROR = "error";

    final HttpServletRequest request;
    final HttpServletResponse response;

    /** Who is logged in. */
    final String administrator;

    final Texts texts;

    Visit(HttpServletRequest request, HttpServletResponse response, String administrator, Texts texts) {
        this.request = request;
        this.response = response;
        this.administrator = administrator;
        this.texts = texts;
    }

    /** A parameter without the blanks around it; empty if there is none. */
    String parameter(String name) {
        String value = request.getParameter(name);
        return value == null ? "" : value.trim();
    }

    /** A parameter as it was sent; null if there is none. */
    String raw(String name) {
        return request.getParameter(name);
    }

    /** The number in a parameter, or `otherwise` if it is none or out of its range. */
    long number(String name, long least, long most, long otherwise) {
        try {
            long value = Long.parseLong(parameter(name));
            return value < least || value > most ? otherwise : value;
        } catch (NumberFormatException e) {
            return otherwise;
        }
    }

    /** What every form of this session carries, so that no other site can send one. */
    String token() {
        HttpSession session = request.getSession();
        synchronized (Visit.class) {
            Object token = session.getAttribute(TOKEN);
            if (!(token instanceof String)) {
                byte[] bytes = new byte[TOKEN_BYTES];
                RANDOM.nextBytes(bytes);
                token = Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
                session.setAttribute(TOKEN, token);
            }
            return (String) token;
        }
    }

    boolean hasToken() {
        String sent = request.getParameter("token");
        return sent != null
                && MessageDigest.isEqual(
                        sent.getBytes(StandardCharsets.UTF_8), token().getBytes(StandardCharsets.UTF_8));
    }

    /** The token that Openfire wants to see beside ours; null on those that know none. */
    String openfiresToken() {
        Object token = request.getAttribute(OPENFIRES_TOKEN);
        return token instanceof String ? (String) token : null;
    }

    /** Says something on the page that comes next. */
    void say(String text) {
        request.getSession().setAttribute(FLASH, text);
    }

    /** What was to be said on this page; null: nothing. */
    String flash() {
        HttpSession session = request.getSession();
        Object text = session.getAttribute(FLASH);
        session.removeAttribute(FLASH);
        Object refused = session.getAttribute(OPENFIRES_ERROR);
        if (refused instanceof String) {
            session.removeAttribute(OPENFIRES_ERROR);
            return (String) refused;
        }
        return text instanceof String ? (String) text : null;
    }

    /** Notes in Openfire's security audit log who did what. */
    void audit(String what, String details) {
        SecurityAuditManager.getInstance().logEvent(administrator, what, details);
    }
}
