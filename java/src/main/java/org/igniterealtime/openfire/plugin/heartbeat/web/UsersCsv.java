package org.igniterealtime.openfire.plugin.heartbeat.web;

import java.io.IOException;
import java.io.PrintWriter;
import java.time.Instant;
import java.util.List;
import javax.servlet.http.HttpServletResponse;
import org.igniterealtime.openfire.plugin.heartbeat.HeartbeatPlugin;
import org.igniterealtime.openfire.plugin.heartbeat.LastActivityService;
import org.igniterealtime.openfire.plugin.heartbeat.UserActivity;

/**
 * What the page of last activity shows, all of it, as comma-separated values (RFC 4180) in UTF-8. It is written as it is
 * read, a page at a time, so it takes no more memory for more users.
 */
public final class UsersCsv extends ConsoleServlet {
    private static final long serialVersionUID = 1L;

    private static final int ROWS = 1000;

    /** What a spreadsheet takes for the beginning of a formula. */
    private static final String FORMULA = "=+-@\t\r";

    @Override
    void get(Visit visit) throws IOException {
        HeartbeatPlugin plugin = HeartbeatPlugin.loaded();
        LastActivityService service = plugin == null ? null : plugin.lastActivityService();
        if (service == null) {
            visit.response.sendError(HttpServletResponse.SC_SERVICE_UNAVAILABLE);
            return;
        }
        visit.response.setContentType("text/csv; charset=UTF-8");
        visit.response.setHeader("Content-Disposition", "attachment; filename=\"last-activity.csv\"");
        PrintWriter out = visit.response.getWriter();
        // The mark by which spreadsheets know UTF-8.
        out.write("\ufeffuser,online,last_read,last_session_ended,reason,status\r\n");
        UsersQuery query = new UsersQuery(visit);
        List<UserActivity> users = query.list(service, null, 0, ROWS);
        while (!users.isEmpty() && !out.checkError()) {
            for (UserActivity user : users) {
                write(out, user);
            }
            UserActivity last = users.get(users.size() - 1);
            users = users.size() < ROWS ? users.subList(0, 0) : query.list(service, last.user(), last.lastReadMs(), ROWS);
        }
    }

    private static void write(PrintWriter out, UserActivity user) {
        out.write(cell(user.user()) + ',' + (user.isOnline() ? "yes" : "no") + ',' + time(user.lastReadMs()) + ','
                + time(user.offlineMs()) + ',' + user.reason() + ',' + cell(user.status()) + "\r\n");
    }

    private static String time(long ms) {
        return ms == 0 ? "" : Instant.ofEpochMilli(ms).toString();
    }

    /** Quoted; what looks like a formula begins with an apostrophe, so that it stays a text. */
    static String cell(String text) {
        String safe = !text.isEmpty() && FORMULA.indexOf(text.charAt(0)) >= 0 ? "'" + text : text;
        return '"' + safe.replace("\"", "\"\"") + '"';
    }
}
