package org.igniterealtime.openfire.plugin.heartbeat.web;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.igniterealtime.openfire.plugin.heartbeat.HeartbeatPlugin;
import org.igniterealtime.openfire.plugin.heartbeat.LastActivityService;
import org.igniterealtime.openfire.plugin.heartbeat.UserActivity;

/** When users were last here: by name, or who was not seen for some days. Erases users. */
public final class UsersPage extends Page {
    private static final long serialVersionUID = 1L;

    /** Rows of a page. */
    private static final int ROWS = 100;

    private static final long[] DAYS = {30, 90, 365};

    public UsersPage() {
        super("users");
    }

    @Override
    void show(Visit visit, Map<String, Object> model) {
        Texts texts = visit.texts;
        model.put("title", texts.of("title-users"));
        LastActivityService service = HeartbeatPlugin.loaded().lastActivityService();
        if (service == null) {
            return;
        }
        UsersQuery query = new UsersQuery(visit);
        String after = visit.parameter("after");
        long afterMs = visit.number("ms", 0, Long.MAX_VALUE, 0);
        // One more than is shown tells whether there are more.
        List<UserActivity> users = query.list(service, after.isEmpty() ? null : after, afterMs, ROWS + 1);
        boolean more = users.size() > ROWS;
        List<UserActivity> shown = more ? users.subList(0, ROWS) : users;
        long now = System.currentTimeMillis();
        List<Map<String, Object>> rows = new ArrayList<>();
        for (UserActivity user : shown) {
            rows.add(row(user, query, now, texts));
        }
        model.put("on", true);
        model.put("q", query.part);
        model.put("days", query.days == 0 ? "" : Long.toString(query.days));
        model.put("presets", presets(query, texts));
        model.put("rows", rows);
        model.put("none", rows.isEmpty());
        // How many there are in all nobody has counted.
        model.put("count", texts.of(more || !after.isEmpty() ? "users-count-page" : "users-count", rows.size()));
        model.put("first", after.isEmpty() ? null : query.address("users").toString());
        UserActivity last = more ? shown.get(ROWS - 1) : null;
        model.put(
                "next",
                last == null
                        ? null
                        : query.address("users")
                                .with("after", last.user())
                                .with("ms", Long.toString(last.lastReadMs()))
                                .toString());
        model.put("csv", query.address("users.csv").toString());
        model.put("again", query.address("users").toString());
        confirm(visit.parameter("confirm"), service, model);
    }

    private static void confirm(String user, LastActivityService service, Map<String, Object> model) {
        model.put("confirming", !user.isEmpty() && service.of(user) != null ? user : null);
    }

    private static List<Map<String, Object>> presets(UsersQuery query, Texts texts) {
        List<Map<String, Object>> presets = new ArrayList<>();
        for (long days : DAYS) {
            Map<String, Object> preset = new HashMap<>();
            preset.put("name", texts.of("users-not-for", days));
            preset.put("address", query.notSeenFor(days).address("users").toString());
            presets.add(preset);
        }
        return presets;
    }

    private static Map<String, Object> row(UserActivity user, UsersQuery query, long now, Texts texts) {
        Map<String, Object> row = new HashMap<>();
        row.put("user", user.user());
        row.put("about", new Address("session").with("jid", user.user()).toString());
        row.put("sessions", new Address("sessions").with("q", user.user() + "@").toString());
        row.put("erase", query.address("users").with("confirm", user.user()).toString());
        row.put("online", user.isOnline());
        row.put("seen", time(user.lastReadMs(), texts));
        long ago = Math.max(0, TimeUnit.MILLISECONDS.toSeconds(now - user.lastReadMs()));
        row.put("ago", user.lastReadMs() == 0 ? "" : texts.of("ago", texts.span(ago)));
        row.put("ended", time(user.offlineMs(), texts));
        row.put("why", user.offlineMs() == 0 ? "" : texts.of("end-" + user.reason()));
        row.put("status", user.status());
        return row;
    }

    private static String time(long ms, Texts texts) {
        return ms == 0 ? "" : texts.time(ms);
    }

    @Override
    String act(Visit visit, String what, Map<String, Object> model) {
        LastActivityService service =
                HeartbeatPlugin.loaded() == null ? null : HeartbeatPlugin.loaded().lastActivityService();
        String user = visit.parameter("user");
        if (service == null || user.isEmpty() || !"erase".equals(what)) {
            model.put("error", visit.texts.of("form-unknown"));
            return null;
        }
        if (service.erase(user)) {
            visit.audit("Heartbeat: erased the last activity of a user", user);
            visit.say(visit.texts.of("users-erased", user));
        } else {
            visit.say(visit.texts.of("users-unknown", user));
        }
        return new UsersQuery(visit).address("users").toString();
    }
}
