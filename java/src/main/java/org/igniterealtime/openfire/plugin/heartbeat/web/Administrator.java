package org.igniterealtime.openfire.plugin.heartbeat.web;

import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpSession;
import org.jivesoftware.openfire.admin.AdminManager;
import org.jivesoftware.openfire.auth.AuthToken;

/** Who is logged in to the console. */
public final class Administrator {
    /** Where the console keeps it. */
    private static final String SESSION_ATTRIBUTE = "jive.admin.authToken";

    /** For who was locked out and holds the token of the configuration file; since Openfire 4.3.1. */
    private static final String ONE_TIME = "org.jivesoftware.openfire.auth.AuthToken$OneTimeAuthToken";

    private Administrator() {}

    /** The name of the administrator whose request it is, or null if it is nobody's. */
    public static String of(HttpServletRequest request) {
        HttpSession session = request.getSession(false);
        Object token = session == null ? null : session.getAttribute(SESSION_ATTRIBUTE);
        if (!(token instanceof AuthToken)) {
            return null;
        }
        String name = ((AuthToken) token).getUsername();
        boolean allowed = token.getClass().getName().equals(ONE_TIME)
                || (name != null && AdminManager.getInstance().isUserAdmin(name, true));
        return allowed ? name : null;
    }
}
