package org.igniterealtime.openfire.heartbeat.demo;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import org.igniterealtime.openfire.heartbeat.demo.PluginView.Activity;
import org.igniterealtime.openfire.heartbeat.harness.Event;

/** What should have happened, what happened, and what happened on an Openfire without the plugin. */
final class Summary {
    /** Openfire's own idle time (xmpp.client.idle): gone after it, pinged at half of it. */
    static final int IDLE_SECONDS = 10;

    static final int PING_SECONDS = IDLE_SECONDS / 2;
    /** Decisions are made on ticks of a second. The rest is for a machine that has other things to do. */
    private static final double TICK = 1.0;

    private static final double SLACK = 0.25;
    private static final String FORMAT = "%-46s  %-23s  %s";

    private record Check(String who, String expected, boolean good, String found, String alone) {}

    private final Cast cast;
    private final Cast aloneCast;
    private final Board board;
    private final List<Check> checks = new ArrayList<>();

    Summary(Cast cast, Board board, Cast aloneCast) {
        this.cast = cast;
        this.board = board;
        this.aloneCast = aloneCast;
        alice();
        bob();
        carol();
        dave();
        erin();
    }

    boolean isGood() {
        return checks.stream().allMatch(Check::good);
    }

    // ---- The checks.

    private void alice() {
        Outcome here = new Outcome(cast, "alice");
        Outcome alone = new Outcome(aloneCast, "alice");
        pinged("alice", here, alone, 5);
        Double roundTrip = board.roundTrip("alice");
        check(
                "alice", "round trip is measured", roundTrip != null && roundTrip > 0 && roundTrip < 1000,
                roundTrip == null ? "no" : board.row("alice").roundTrip(), "not kept");
        stays("alice", here, alone);
        why("alice", "its pings", "idle, idle");
    }

    private void bob() {
        Outcome here = new Outcome(cast, "bob");
        Outcome alone = new Outcome(aloneCast, "bob");
        check(
                "bob", "one ping at " + PING_SECONDS + " s of silence, at most 1 s early",
                here.pings().size() == 1 && isPingTime(here.pings().get(0)), pings(here.pings()), pings(alone.pings()));
        Double end = here.end();
        check(
                "bob", "disconnected after " + IDLE_SECONDS + " s, at most 1 s late",
                end != null && end >= IDLE_SECONDS && end <= IDLE_SECONDS + TICK + SLACK,
                after(end), after(alone.end()));
        check(
                "bob", "is told why, and that the stream ends", here.gotError() && here.gotEndOfStream(),
                farewell(here), farewell(alone));
        told("bob", here, here.endedAt(), alone, alone.endedAt());
        lastActivity("bob", here, alone);
        reason("bob", "no-answer");
        why("bob", "its ping, and the end", "idle, no-answer");
    }

    private void carol() {
        Outcome here = new Outcome(cast, "carol");
        Outcome alone = new Outcome(aloneCast, "carol");
        pinged("carol", here, alone, 4);
        stays("carol", here, alone);
    }

    private void dave() {
        Outcome here = new Outcome(cast, "dave");
        Outcome alone = new Outcome(aloneCast, "dave");
        told("dave", here, cast.when("dave", "cut off"), alone, aloneCast.when("dave", "cut off"));
        lastActivity("dave", here, alone);
        reason("dave", "closed");
    }

    private void erin() {
        Outcome here = new Outcome(cast, "erin");
        Outcome alone = new Outcome(aloneCast, "erin");
        told("erin", here, cast.when("erin", "logs out"), alone, aloneCast.when("erin", "logs out"));
        String farewell = "offline: " + Cast.FAREWELL;
        check("erin", "the contact sees her status", here.seen().equals(farewell), here.seen(), alone.seen());
        lastActivity("erin", here, alone);
        Activity activity = PluginView.activity(cast.server(), "erin");
        String status = activity == null || activity.status() == null ? "no" : activity.status();
        Outcome.Last ofOpenfire = alone.lastActivityOfOpenfire();
        check(
                "erin", "her status is kept", status.equals(Cast.FAREWELL),
                status, ofOpenfire == null || ofOpenfire.status() == null ? "no" : ofOpenfire.status());
        reason("erin", "logout");
    }

    private void pinged(String who, Outcome here, Outcome alone, int atLeast) {
        List<Double> pings = here.pings();
        boolean enough = pings.size() >= atLeast && pings.size() == board.pings(who);
        check(
                who, "pinged each " + PING_SECONDS + " s of silence, at most 1 s early",
                enough && pings.stream().allMatch(Summary::isPingTime), pings(pings), pings(alone.pings()));
    }

    private void stays(String who, Outcome here, Outcome alone) {
        check(
                who, "stays connected and online",
                here.isConnected() && here.seen().equals("online") && here.unavailable().isEmpty(),
                presence(here), presence(alone));
    }

    private void told(String who, Outcome here, Long since, Outcome alone, Long aloneSince) {
        List<Event> told = here.unavailable();
        check(
                who, "the contact sees one unavailable, at once",
                told.size() == 1 && since != null && delay(told.get(0), since) <= SLACK,
                told(told, since), told(alone.unavailable(), aloneSince));
    }

    private void lastActivity(String who, Outcome here, Outcome alone) {
        Activity activity = PluginView.activity(cast.server(), who);
        Outcome.Last ofOpenfire = alone.lastActivityOfOpenfire();
        check(
                who, "last activity: its last byte, at most 1 s off",
                activity != null && !activity.online() && here.distance(activity.seenMillis()) <= TICK + SLACK,
                activity == null ? "unknown" : Outcome.text(here.distance(activity.seenMillis())) + " off",
                ofOpenfire == null ? "unknown" : Outcome.text(alone.distance(ofOpenfire.seenMillis())) + " off");
    }

    private void reason(String who, String expected) {
        Activity activity = PluginView.activity(cast.server(), who);
        String why = activity == null ? "unknown" : activity.why();
        check(who, "it is known why the session ended", why.equals(expected), why, "not kept");
    }

    private void why(String who, String of, String expected) {
        String why = PluginView.why(cast.server(), cast.client(who).jid());
        check(who, "can be asked why: " + of, expected.equals(why), why == null ? "unknown" : why, "not kept");
    }

    /** The server is closed by now. fault: what its JVM found wrong with native code, or null. */
    void server(String fault, List<String> complaints) {
        check(null, "no fault in native code found by -Xcheck:jni", fault == null, fault == null ? "none" : fault, "");
        check(
                null, "no warning, no error logged by the plugin", complaints.isEmpty(),
                complaints.isEmpty() ? "none" : complaints.get(0), "");
    }

    private void check(String who, String expected, boolean good, String found, String alone) {
        checks.add(new Check(who, expected, good, found, alone));
    }

    // ---- In words.

    private static boolean isPingTime(double silence) {
        return silence >= PING_SECONDS - TICK - SLACK && silence <= PING_SECONDS + SLACK;
    }

    private static double delay(Event event, long since) {
        return Math.abs(event.at() - since) / 1e9;
    }

    private static String pings(List<Double> silences) {
        if (silences.isEmpty()) {
            return "no ping";
        }
        String least = String.format(Locale.ROOT, "%.1f", Collections.min(silences));
        String most = Outcome.text(Collections.max(silences));
        return silences.size() == 1
                ? "1, after " + most
                : silences.size() + ", after " + (most.startsWith(least + " ") ? "" : least + " to ") + most;
    }

    private static String after(Double seconds) {
        return seconds == null ? "still connected" : "after " + Outcome.text(seconds);
    }

    private static String farewell(Outcome outcome) {
        if (outcome.gotError()) {
            return outcome.gotEndOfStream() ? "both arrived" : "no end of stream";
        }
        return outcome.gotEndOfStream() ? "no connection-timeout" : "neither arrived";
    }

    private static String presence(Outcome outcome) {
        return (outcome.isConnected() ? "connected, " : "disconnected, ") + outcome.seen();
    }

    private static String told(List<Event> told, Long since) {
        if (told.isEmpty() || since == null) {
            return "none";
        }
        return told.size() + ", within " + Math.max(1, Math.round(delay(told.get(0), since) * 1000)) + " ms";
    }

    /** For people. Each check is a line that begins with "ok" or "FAILED". */
    List<String> lines(Paint paint) {
        List<String> lines = new ArrayList<>();
        String heading = String.format(FORMAT, "what should happen", "with the plugin", "Openfire alone");
        lines.add(paint.in(Paint.Colour.DIM, " ".repeat(16) + heading));
        String last = "";
        for (Check check : checks) {
            String mark = check.good() ? "ok      " : "FAILED  ";
            String who = check.who() == null ? "server" : check.who();
            String alone = paint.in(Paint.Colour.DIM, check.alone());
            lines.add((paint.in(check.good() ? Paint.Colour.GREEN : Paint.Colour.RED, mark)
                            + paint.in(Paint.Colour.BOLD, View.fit(who.equals(last) ? "" : who, 8))
                            + String.format(FORMAT, check.expected(), check.found(), alone))
                    .stripTrailing());
            last = who;
        }
        long bad = checks.stream().filter(check -> !check.good()).count();
        lines.add("");
        lines.add(bad == 0
                ? paint.in(Paint.Colour.GREEN, "All " + checks.size() + " as it should be.")
                : paint.in(Paint.Colour.RED, bad + " of " + checks.size() + " not as it should be."));
        return lines;
    }
}
