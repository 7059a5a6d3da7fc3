package org.igniterealtime.openfire.plugin.heartbeat.web;

import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.igniterealtime.openfire.plugin.heartbeat.HeartbeatPlugin;
import org.igniterealtime.openfire.plugin.heartbeat.SessionList;
import org.igniterealtime.openfire.plugin.heartbeat.SessionQuery;
import org.igniterealtime.openfire.plugin.heartbeat.SessionQuery.Sort;
import org.igniterealtime.openfire.plugin.heartbeat.SessionRow;
import org.igniterealtime.openfire.plugin.heartbeat.SessionState;

/** The open sessions, filtered, sorted and cut into pages by the core. */
public final class SessionsPage extends Page {
    private static final long serialVersionUID = 1L;

    /** Rows of a page. */
    static final int ROWS = 100;

    private static final long MOST_ROWS = 100_000_000;

    /** Columns of times and numbers. */
    private static final Set<Sort> NUMBERS = EnumSet.of(Sort.ENDS, Sort.SILENT, Sort.PINGS, Sort.RTT);

    /** Who is asked whether it is alive, and has not answered yet. */
    private static final Set<SessionState> PINGED = EnumSet.of(SessionState.PINGING, SessionState.PINGED);

    public SessionsPage() {
        super("sessions");
    }

    @Override
    void show(Visit visit, Map<String, Object> model) {
        model.put("title", visit.texts.of("title-sessions"));
        SessionQuery query = query(visit);
        SessionList list = HeartbeatPlugin.loaded().sessions(query);
        if (list != null && list.rows().isEmpty() && query.offset() > 0) {
            // Sessions have ended since the link was made: the last page there is.
            query = query.rows((list.total() == 0 ? 0 : list.total() - 1) / ROWS * ROWS, ROWS);
            list = HeartbeatPlugin.loaded().sessions(query);
        }
        if (list != null) {
            fill(model, query, states(visit), list, visit.texts);
        }
    }

    private static Set<SessionState> states(Visit visit) {
        Set<SessionState> states = EnumSet.noneOf(SessionState.class);
        String[] sent = visit.request.getParameterValues("state");
        for (String name : sent == null ? new String[0] : sent) {
            for (SessionState state : SessionState.values()) {
                if (state.text().equals(name)) {
                    states.add(state);
                }
            }
        }
        return states;
    }

    private static SessionQuery query(Visit visit) {
        return SessionQuery.all()
                .containing(visit.parameter("q"))
                .in(states(visit))
                .sortedBy(Sort.of(visit.parameter("sort")), "down".equals(visit.parameter("order")))
                .rows(visit.number("from", 0, MOST_ROWS, 0), ROWS);
    }

    /** Fills the model; apart from {@link #show} so that it can be measured. */
    static void fill(
            Map<String, Object> model, SessionQuery query, Set<SessionState> states, SessionList list, Texts texts) {
        model.put("on", true);
        model.put("q", query.text());
        model.put("states", stateBoxes(states, list, texts));
        model.put("columns", columns(query, states, texts));
        List<Map<String, Object>> rows = new ArrayList<>();
        for (SessionRow row : list.rows()) {
            rows.add(row(row, texts));
        }
        model.put("rows", rows);
        // Many servers do not ask clients what they are.
        model.put("clients", list.rows().stream().anyMatch(row -> row.client() != null));
        model.put("sort", query.sort().text());
        model.put("order", query.isDescending() ? "down" : "up");
        long from = query.offset();
        model.put("none", list.total() == 0);
        model.put(
                "count",
                list.total() == 0
                        ? texts.of(isAboutEnds(query, states) ? "sessions-none-ending" : "sessions-none")
                        : texts.of("sessions-count", from + 1, from + list.rows().size(), list.total()));
        model.put("again", address(query, states, query.sort(), query.isDescending(), from));
        model.put("previous", from > 0 ? address(query, states, query.sort(), query.isDescending(), from - ROWS) : null);
        boolean more = from + list.rows().size() < list.total();
        model.put("next", more ? address(query, states, query.sort(), query.isDescending(), from + ROWS) : null);
    }

    /** Whether it is asked for those who are about to be disconnected, whoever they are. */
    private static boolean isAboutEnds(SessionQuery query, Set<SessionState> states) {
        return query.text().isEmpty() && !states.isEmpty() && PINGED.containsAll(states);
    }

    private static List<Map<String, Object>> stateBoxes(Set<SessionState> chosen, SessionList list, Texts texts) {
        List<Map<String, Object>> boxes = new ArrayList<>();
        for (SessionState state : SessionState.values()) {
            Map<String, Object> box = new HashMap<>();
            box.put("state", state.text());
            box.put("name", texts.of("state-" + state.text()));
            box.put("count", texts.number(list.count(state)));
            box.put("checked", chosen.contains(state));
            boxes.add(box);
        }
        return boxes;
    }

    private static List<Map<String, Object>> columns(SessionQuery query, Set<SessionState> states, Texts texts) {
        List<Map<String, Object>> columns = new ArrayList<>();
        Sort[] order = {Sort.JID, Sort.STATE, Sort.ENDS, Sort.SILENT, Sort.PINGS, Sort.RTT, Sort.TRANSPORT};
        for (Sort sort : order) {
            boolean sorted = query.sort() == sort;
            Map<String, Object> column = new HashMap<>();
            column.put("name", texts.of("column-" + sort.text()));
            column.put("right", NUMBERS.contains(sort));
            column.put("sorted", sorted ? query.isDescending() ? "descending" : "ascending" : null);
            column.put("mark", sorted ? query.isDescending() ? "\u25bc" : "\u25b2" : "");
            // What is looked for first: the slowest, the most silent.
            boolean down = sorted ? !query.isDescending() : EnumSet.of(Sort.RTT, Sort.SILENT, Sort.PINGS).contains(sort);
            column.put("address", address(query, states, sort, down, 0));
            columns.add(column);
        }
        return columns;
    }

    private static String address(SessionQuery query, Set<SessionState> states, Sort sort, boolean down, long from) {
        Address address = new Address("sessions");
        if (!query.text().isEmpty()) {
            address.with("q", query.text());
        }
        for (SessionState state : states) {
            address.with("state", state.text());
        }
        address.with("sort", sort.text()).with("order", down ? "down" : "up");
        if (from > 0) {
            address.with("from", Long.toString(from));
        }
        return address.toString();
    }

    private static Map<String, Object> row(SessionRow session, Texts texts) {
        Map<String, Object> row = new HashMap<>();
        // A narrow column breaks a JID before its resource.
        int resource = session.jid() == null ? 0 : session.jid().indexOf('/') + 1;
        row.put("user", session.jid() == null ? null : session.jid().substring(0, resource));
        row.put("device", session.jid() == null ? null : session.jid().substring(resource));
        row.put("details", session.jid() == null ? null : new Address("session").with("jid", session.jid()).toString());
        row.put("state", session.state().text());
        row.put("stateName", texts.of("state-" + session.state().text()));
        row.put("why", texts.of("why-" + session.why()));
        row.put("ends", session.endsInSeconds() < 0 ? "" : texts.span(session.endsInSeconds()));
        row.put("silent", texts.span(session.silentSeconds()));
        row.put("pings", session.pings());
        row.put("rtt", session.rttUs() < 0 ? "" : texts.roundTrip(session.rttUs()));
        row.put("transport", session.transport().text());
        row.put("sm", texts.of("sm-" + session.streamManagement().name().toLowerCase(Locale.ROOT)));
        row.put("client", session.client());
        row.put("address", session.address());
        return Collections.unmodifiableMap(row);
    }
}
