package org.igniterealtime.openfire.heartbeat.suite;

import static org.igniterealtime.openfire.heartbeat.suite.Times.TICK;
import static org.igniterealtime.openfire.heartbeat.suite.Times.sleep;
import static org.igniterealtime.openfire.heartbeat.suite.Times.sleepUntil;

import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;
import org.igniterealtime.openfire.heartbeat.harness.Stanza;

/** The rows about who may know when somebody was last here, and what they are told (XEP-0012). */
final class LastActivityRows {
    private static final Pattern SECONDS = Pattern.compile("seconds=[\"'](-?[0-9]+)[\"']");
    private static final String QUERY = "<query xmlns='jabber:iq:last'/>";

    /** Seconds of an answer that is no answer. */
    private static final long NONE = -1;

    /** How long a session can be resumed there. */
    private static final double WINDOW = 8;

    /** Seconds that are told may be of the tick before, and are cut off. */
    private static final double TOLERANCE = 2;

    private LastActivityRows() {}

    static List<OwnRow> own() {
        return List.of(
                new OwnRow(
                        "last-activity",
                        setup -> setup.set("xmpp.session.detach.timeout", Long.toString((long) (1000 * WINDOW))),
                        List.of(
                                new Row("last-asked", LastActivityRows::asked),
                                new Row("last-shared-group", LastActivityRows::sharedGroup),
                                new Row("last-detached", LastActivityRows::detached))),
                new OwnRow("journal", JournalRow::play),
                new OwnRow("journal-late", JournalLateRow::play),
                new OwnRow("other-plugin", OtherPluginRow::play));
    }

    /** Asks when somebody was last here; the answer without what is of this question alone. */
    private static String ask(Stage stage, RawClient who, String part) {
        Stanza answer = who.ask("get", stage.address(part), QUERY);
        return answer.toString()
                .replaceAll("\\sid=(\"[^\"]*\"|'[^']*')", "")
                .replace(stage.user(part), "SOMEBODY");
    }

    private static long seconds(String answer) {
        Matcher seconds = SECONDS.matcher(answer);
        return answer.contains("type=\"result\"") && seconds.find() ? Long.parseLong(seconds.group(1)) : NONE;
    }

    /** A byte counts from the beginning of its tick, now is the beginning of the last one, and seconds are whole. */
    private static boolean fits(String answer, double ago) {
        return seconds(answer) <= ago + TICK && seconds(answer) >= ago - TOLERANCE;
    }

    /** Who may not know is told the same of everybody, be they there, away, never seen or nobody at all. */
    private static void asked(Stage stage) throws Exception {
        stage.people("here", "away", "never", "stranger", "erased");
        RawClient contact = stage.contact();
        RawClient stranger = stage.login("stranger");
        stage.login("here");
        stage.login("erased");
        RawClient away = stage.login("away");
        stage.begin();
        away.unavailable("gone fishing");
        long left = System.nanoTime();
        away.closeStream();
        sleep(3 * TICK);

        String nobody = ask(stage, stranger, "nobody");
        String ofAway = ask(stage, contact, "away");
        double ago = Times.seconds(left, System.nanoTime());
        long hereTold = seconds(ask(stage, contact, "here"));
        stage.saw(String.format(
                Locale.ROOT, "contact told %d s of who is here, %d s after %.1f s; a stranger: %s", hereTold,
                seconds(ofAway), ago, nobody.replaceAll(".*<error", "<error")));
        stage.must(nobody.contains("<forbidden"), "who does not exist is not told of: " + nobody, stranger);
        for (String part : List.of("here", "away", "never")) {
            String told = ask(stage, stranger, part);
            stage.must(told.equals(nobody), "a stranger is told the same of " + part + ": " + told + ", not " + nobody);
        }
        stage.must(hereTold == 0, "who is here: " + hereTold, contact);
        stage.must(fits(ofAway, ago), "who is away: " + ofAway, contact);
        stage.must(ofAway.contains(">gone fishing<"), "with the status: " + ofAway, contact);
        String ofNever = ask(stage, contact, "never");
        stage.must(seconds(ofNever) == NONE && ofNever.contains("<item-not-found"), "never here: " + ofNever, contact);
        stage.server().command("erase", stage.user("erased"));
        stage.must(stage.server().lastActivity(stage.user("erased")).isEmpty(), "who was erased is not known");
        String ofErased = ask(stage, contact, "erased");
        stage.must(seconds(ofErased) == 0, "who was erased is here nevertheless: " + ofErased, contact);
        String own = ask(stage, stranger, "stranger");
        stage.must(seconds(own) == 0, "everybody is told of themselves: " + own, stranger);
    }

    /** Contacts by a group that is shared are contacts, who never asked for it. */
    private static void sharedGroup(Stage stage) throws Exception {
        stage.people("inside", "colleague", "outside");
        RawClient colleague = stage.login("colleague");
        RawClient outside = stage.login("outside");
        RawClient inside = stage.login("inside");
        stage.contact();
        stage.begin();
        boolean before = seconds(ask(stage, colleague, "inside")) != NONE;
        stage.server().command("share-group", "team", stage.user("inside"), stage.user("colleague"));
        sleep(TICK);
        String here = ask(stage, colleague, "inside");
        inside.unavailable("at lunch");
        long left = System.nanoTime();
        inside.closeStream();
        sleep(3 * TICK);
        String away = ask(stage, colleague, "inside");
        double ago = Times.seconds(left, System.nanoTime());
        String refused = ask(stage, outside, "inside");
        stage.saw(String.format(Locale.ROOT, "a colleague is told %d s, then %d s after %.1f s", seconds(here), seconds(away), ago));
        stage.must(!before, "before they share a group, nothing is told");
        stage.must(seconds(here) == 0, "of who is here: " + here, colleague);
        stage.must(fits(away, ago), "of who left: " + away, colleague);
        stage.must(away.contains(">at lunch<"), "with the status: " + away, colleague);
        stage.must(refused.contains("<forbidden"), "to others nothing is told: " + refused, outside);
    }

    /** A session that waits to be resumed is online, as its contacts see it; when it ends, the last byte counts. */
    private static void detached(Stage stage) throws Exception {
        stage.people("lost");
        RawClient contact = stage.contact();
        RawClient lost = stage.login("lost");
        lost.enableResumption();
        stage.begin();
        lost.sync();
        long last = System.nanoTime();
        sleep(TICK / 2);
        lost.reset();
        sleep(4 * TICK);
        String waiting = ask(stage, contact, "lost");
        boolean told = !contact.presences(lost.jid(), "unavailable").isEmpty();
        // Openfire looks every few minutes.
        sleepUntil(last + (long) ((WINDOW + TICK) * 1e9));
        for (int i = 0; i < 5 && contact.presences(lost.jid(), "unavailable").isEmpty(); i++) {
            stage.server().sweepDetached();
            sleep(TICK);
        }
        sleep(2 * TICK);
        String over = ask(stage, contact, "lost");
        double ago = Times.seconds(last, System.nanoTime());
        stage.saw(String.format(
                Locale.ROOT, "%d s while it waits, %d s when it is over, %.1f s after its last byte", seconds(waiting),
                seconds(over), ago));
        stage.must(!told && seconds(waiting) == 0, "while it can be resumed it is online: " + waiting, contact);
        stage.must(fits(over, ago), "then its last byte counts: " + over, contact);
    }
}
