package org.igniterealtime.openfire.plugin.heartbeat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.jivesoftware.openfire.container.Plugin;
import org.jivesoftware.openfire.container.PluginManager;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class LastActivityListenersTest {
    private static final long WALL_MS = 1_700_000_000_000L;

    private NativeCore core;
    private LastActivityListeners listeners;
    private LastActivityService service;

    /** Keeps what it is told, one line each. */
    private static class Told implements LastActivityListener {
        final BlockingQueue<String> lines = new LinkedBlockingQueue<>();

        @Override
        public void ended(List<UserActivity> users) {
            lines.add("ended " + users.stream().map(UserActivity::user).sorted().collect(Collectors.joining(" ")));
        }

        @Override
        public void erased(List<String> users) {
            lines.add("erased " + String.join(" ", users));
        }

        List<String> taken() {
            List<String> all = new ArrayList<>();
            lines.drainTo(all);
            return all;
        }
    }

    private static final class SomePlugin implements Plugin {
        @Override
        public void initializePlugin(PluginManager manager, File pluginDirectory) {
            // Nothing to be done.
        }

        @Override
        public void destroyPlugin() {
            // Nothing to be done.
        }
    }

    @BeforeEach
    void open() {
        TestLibrary.load();
        core = new NativeCore(0, WALL_MS);
        listeners = new LastActivityListeners(core);
        service = new LastActivityService(core, listeners);
    }

    @AfterEach
    void close() {
        listeners.close();
        core.close();
    }

    private long login(String user) {
        long token = core.open(Transport.Kind.TCP.code, 0, 0, 0);
        assertEquals(0, core.bound(token, user + "@example.org/phone", false));
        return token;
    }

    private void visit(String user) {
        core.closed(login(user));
    }

    @Test
    void whoseLastSessionEnded() {
        visit("before");
        Told told = new Told();
        service.addListener(told, null);
        listeners.tell();
        assertEquals(List.of(), told.taken());
        visit("alice");
        visit("bob");
        long other = login("carol");
        visit("carol");
        listeners.tell();
        assertEquals(List.of("ended alice bob"), told.taken());
        core.closed(other);
        listeners.tell();
        listeners.tell();
        assertEquals(List.of("ended carol"), told.taken());
    }

    @Test
    void manyInPages() {
        Told told = new Told();
        service.addListener(told, null);
        int many = 2 * LastActivityService.MOST_LISTED + 1;
        for (int i = 0; i < many; i++) {
            visit("user" + i);
        }
        listeners.tell();
        assertEquals(
                many,
                told.taken().stream().mapToInt(line -> line.split(" ").length - 1).sum());
    }

    @Test
    void whoWasErased() {
        core.importUser("early", 5, null);
        service.erase("early");
        Told told = new Told();
        service.addListener(told, null);
        core.importUser("alice", 5, null);
        core.importUser("bob", 6, null);
        assertFalse(service.erase("nobody"));
        assertEquals(2, service.erase(List.of("alice", "nobody", "bob")));
        listeners.erased("deleted");
        listeners.tell();
        assertEquals(List.of("erased alice bob deleted"), told.taken());
        listeners.tell();
        assertEquals(List.of(), told.taken());
    }

    @Test
    void whatOneThrowsIsItsOwn() {
        Told first = new Told();
        Told last = new Told();
        service.addListener(first, null);
        for (Throwable trouble : new Throwable[] {
            new IllegalStateException("on purpose"), new NoClassDefFoundError("on purpose"), new Error("on purpose")
        }) {
            service.addListener(new Told() {
                @Override
                public void ended(List<UserActivity> users) {
                    LastActivityListenersTest.<RuntimeException>sneak(trouble);
                }
            }, null);
        }
        service.addListener(users -> users.clear(), null);
        service.addListener(last, null);
        for (String user : List.of("alice", "bob")) {
            visit(user);
            listeners.tell();
            assertEquals(List.of("ended " + user), first.taken());
            assertEquals(List.of("ended " + user), last.taken());
        }
    }

    @SuppressWarnings("unchecked")
    private static <T extends Throwable> void sneak(Throwable trouble) throws T {
        throw (T) trouble;
    }

    @Test
    void removedAndUnloaded() {
        Plugin plugin = new SomePlugin();
        Told kept = new Told();
        Told removed = new Told();
        Told unloaded = new Told();
        service.addListener(kept, new SomePlugin());
        service.addListener(removed, plugin);
        service.addListener(unloaded, null);
        service.addListener(unloaded, plugin);
        service.removeListener(removed);
        service.removeListener(removed);
        visit("alice");
        listeners.tell();
        listeners.pluginDestroyed("some", plugin);
        visit("bob");
        listeners.tell();
        assertEquals(List.of("ended alice", "ended bob"), kept.taken());
        assertEquals(List.of(), removed.taken());
        assertEquals(List.of("ended alice"), unloaded.taken());
        assertThrows(NullPointerException.class, () -> service.addListener(null, plugin));
    }

    @Test
    void onAThreadOfItsOwn() throws InterruptedException {
        Told told = new Told() {
            @Override
            public void ended(List<UserActivity> users) {
                lines.add(Thread.currentThread().getName());
                Thread.currentThread().interrupt();
            }
        };
        listeners.start();
        service.addListener(told, null);
        for (String user : List.of("alice", "bob")) {
            visit(user);
            assertEquals("heartbeat-listeners", told.lines.poll(10, TimeUnit.SECONDS));
        }
        listeners.close();
        visit("carol");
        service.addListener(told, null);
        assertEquals(Collections.emptyList(), told.taken());
        assertTrue(Thread.getAllStackTraces().keySet().stream().noneMatch(thread -> thread.getName().equals("heartbeat-listeners")));
    }
}
