package org.igniterealtime.openfire.heartbeat.soak;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.igniterealtime.openfire.heartbeat.harness.Event;
import org.igniterealtime.openfire.heartbeat.harness.LinkCut;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.PingAnswer;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;
import org.igniterealtime.openfire.heartbeat.harness.Timeline;

/** One user with one client, which comes, talks, and goes in all the ways there are. Used by one thread. */
final class Person {
    /** Whoever is silent, or behind a link that is cut, must have been found by then, whatever the policy. */
    private static final long FOUND_SECONDS = 60;

    /** What is sent so shortly before a connection breaks may never be read. */
    private static final long GUARD_NS = TimeUnit.MILLISECONDS.toNanos(500);

    private static final int KEPT = 64;

    private enum State {
        AWAY,
        HERE,
        /** Connected, and says nothing any more. */
        SILENT
    }

    /** What all of them share. */
    record World(OpenfireServer server, List<Person> all, Tally tally) {}

    final String name;
    private final World world;
    private final Random random;
    private State state = State.AWAY;
    private RawClient client;
    private LinkCut cut;
    private long silentSince;
    private String resumption;
    private int visits;
    /** When it began to send something that was surely read, oldest first; nanoseconds. */
    private final Deque<Long> sent = new ArrayDeque<>();
    private long lastSent;
    /** How many events of its present client were taken down already. */
    private int noted;
    private final Deque<String> story = new ArrayDeque<>();

    Person(String name, World world, long seed) {
        this.name = name;
        this.world = world;
        this.random = new Random(seed);
    }

    boolean isHere() {
        return state == State.HERE;
    }

    boolean isSilent() {
        return state == State.SILENT;
    }

    private void did(String what) {
        story.addLast(String.format(Locale.ROOT, "  %tT.%<tL %s%n", System.currentTimeMillis(), what));
        if (story.size() > KEPT) {
            story.removeFirst();
        }
    }

    /** What it did last, for whoever wants to know how it came to be wrong. */
    String story() {
        return String.join("", story) + (client == null ? "" : Timeline.of(client));
    }

    /** What it knows of itself: for {@link Tally}. */
    Deque<Long> sent() {
        return sent;
    }

    long lastSent() {
        return lastSent;
    }

    /** Takes down what its open client has sent until now: to be called after the server was asked. */
    void bringUpToDate() {
        if (state != State.AWAY) {
            note(client.isOver());
        }
    }

    void act() {
        switch (state) {
            case AWAY -> come();
            case HERE -> talkOrGo();
            default -> look();
        }
    }

    // ---- Coming.

    private void come() {
        if (resumption != null && random.nextInt(3) > 0) {
            if (resume()) {
                return;
            }
        }
        resumption = null;
        use(RawClient.login(world.server.door(), name, "r" + ++visits).answerPings(answer()));
        if (random.nextInt(3) == 0) {
            resumption = client.acknowledge().enableResumption();
        }
        client.available();
        state = State.HERE;
        did("is here as " + client.jid() + (resumption == null ? "" : ", can resume"));
        world.tally.count("logins");
    }

    private void use(RawClient another) {
        client = another;
        noted = 0;
    }

    private PingAnswer answer() {
        PingAnswer[] all = {PingAnswer.RESULT, PingAnswer.ERROR, PingAnswer.SPACE};
        return all[random.nextInt(all.length)];
    }

    /** Once: what a client has to count to do it again is not what this is about. */
    private boolean resume() {
        long received = client.received();
        String id = resumption;
        resumption = null;
        RawClient back = RawClient.connect(world.server.door(), name + "/resumes").authenticate(name);
        if (!back.resume(id, received)) {
            // It never was a session of this user: what it sent is nobody's activity.
            back.close();
            did("may not resume");
            world.tally.count("resumes refused");
            return false;
        }
        use(back.answerPings(answer()));
        state = State.HERE;
        did("resumed");
        world.tally.count("resumes");
        return true;
    }

    // ---- Being here.

    private void talkOrGo() {
        if (client.isOver()) {
            world.tally.wrong(name + " answers pings, and was disconnected\n" + Timeline.of(client));
            gone();
            return;
        }
        int what = random.nextInt(100);
        if (what < 45) {
            Person other = world.all.get(random.nextInt(world.all.size()));
            client.send("<message to='" + other.name + "@" + world.server.domain() + "'><body>hello</body></message>");
            world.tally.count("messages");
        } else if (what < 60) {
            client.send(" ");
        } else if (what < 70) {
            client.send("<presence><show>" + (random.nextBoolean() ? "away" : "dnd") + "</show></presence>");
            world.tally.count("presences");
        } else if (what < 78) {
            // Nothing: it is quiet, and answers.
        } else {
            go(what);
        }
    }

    private void go(int what) {
        if (what < 84) {
            client.unavailable("bye");
            client.closeStream();
            resumption = null;
            did("logs out");
            world.tally.count("logouts");
        } else if (what < 88) {
            client.finish();
            did("FIN");
            world.tally.count("FIN");
        } else if (what < 92) {
            note(true);
            client.reset();
            did("RST");
            world.tally.count("RST");
            state = State.AWAY;
            return;
        } else {
            boolean cutIt = what == 99 && world.tally.mayCut();
            if (cutIt) {
                // All that it says from here on may be lost.
                note(true);
                cut = new LinkCut(client.localPort(), world.server.door().port());
            }
            client.answerPings(PingAnswer.NOTHING);
            did(cutIt ? "its link is cut" : "is silent");
            world.tally.count(cutIt ? "links cut" : "silent");
            silentSince = System.nanoTime();
            state = State.SILENT;
            return;
        }
        gone();
    }

    private void gone() {
        note(true);
        client.close();
        state = State.AWAY;
    }

    // ---- Being silent.

    private void look() {
        long seconds = TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - silentSince);
        if (cut != null) {
            if (seconds < FOUND_SECONDS / 2) {
                return;
            }
            // Nobody can tell it that it is gone; that the server found out is asked at the end.
            cut.close();
            cut = null;
            world.tally.joined();
            // What it said while the link went down is sent again now, and may be read, or not.
            client.close();
            lastSent = System.nanoTime();
            did("its link is back, it is not");
            state = State.AWAY;
        } else if (client.isOver()) {
            did("was disconnected");
            gone();
        } else if (seconds > FOUND_SECONDS) {
            world.tally.wrong(name + " is silent, and was not disconnected\n" + Timeline.of(client));
            gone();
        }
    }

    /**
     * Takes down when its client sent something since it was last asked. What it was told to send after its end never left
     * it, and what it sent just before it is ending may never be read.
     */
    private void note(boolean isEnding) {
        List<Event> events = client.events();
        long end = events.stream().filter(Event::isOver).mapToLong(Event::at).findFirst().orElse(Long.MAX_VALUE);
        long surely = Math.min(end, System.nanoTime()) - (isEnding ? GUARD_NS : 0);
        for (Event event : events.subList(noted, events.size())) {
            if (event.kind() != Event.Kind.SENT || event.at() > end) {
                continue;
            }
            lastSent = Math.max(lastSent, event.at());
            if (event.at() <= surely) {
                sent.addLast(event.at());
            }
        }
        noted = events.size();
        while (sent.size() > KEPT) {
            sent.removeFirst();
        }
    }
}
