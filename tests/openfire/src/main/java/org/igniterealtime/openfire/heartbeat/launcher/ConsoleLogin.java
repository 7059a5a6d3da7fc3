package org.igniterealtime.openfire.heartbeat.launcher;

import java.io.IOException;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.jivesoftware.openfire.auth.AuthFactory;

/** Stands in for the console's login page, which is not on Maven Central: the same fields, the same attribute at the end. */
public final class ConsoleLogin extends HttpServlet {
    private static final long serialVersionUID = 1L;

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        response.setContentType("text/html; charset=UTF-8");
        response.getWriter()
                .write("<!DOCTYPE html><html lang=\"en\"><title>Login</title><form method=\"post\">"
                        + "<label>Name <input name=\"username\"></label>"
                        + "<label>Password <input type=\"password\" name=\"password\"></label>"
                        + "<input type=\"submit\"></form></html>");
    }

    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response) throws IOException {
        try {
            request.getSession()
                    .setAttribute(
                            "jive.admin.authToken",
                            AuthFactory.authenticate(
                                    request.getParameter("username"), request.getParameter("password")));
        } catch (Exception e) {
            throw new IOException(e);
        }
        String url = request.getParameter("url");
        response.sendRedirect(url == null || !url.startsWith("/") ? "/" : url);
    }
}
