package org.igniterealtime.openfire.plugin.heartbeat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class LastActivityServiceTest {
    private static final long WALL_MS = 1_700_000_000_000L;

    private NativeCore core;
    private LastActivityService service;

    @BeforeEach
    void open() {
        TestLibrary.load();
        core = new NativeCore(0, WALL_MS);
        service = new LastActivityService(core, new LastActivityListeners(core));
    }

    @AfterEach
    void close() {
        core.close();
    }

    private long login(String user) {
        long token = core.open(Transport.Kind.TCP.code, 0, 0, 0);
        assertEquals(0, core.bound(token, user + "@example.org/phone", false));
        return token;
    }

    private List<String> names(LastActivityService.Query query, int limit) {
        return service.list(query, limit).stream().map(UserActivity::user).collect(Collectors.toList());
    }

    @Test
    void oneUser() {
        assertNull(service.of("alice"));
        long token = login("alice");
        assertTrue(service.of("alice").isOnline());
        core.unavailable(token, "bis sp\u00e4ter \ud83d\ude00", false);
        core.closed(token);
        UserActivity alice = service.of("alice");
        assertEquals("alice", alice.user());
        assertEquals(WALL_MS, alice.lastReadMs());
        assertEquals(WALL_MS, alice.offlineMs());
        assertEquals("logout", alice.reason());
        assertEquals("bis sp\u00e4ter \ud83d\ude00", alice.status());
        assertFalse(alice.isOnline());
    }

    /** The short way to the same time, whatever happens between two questions. */
    @Test
    void lastReadAlone() {
        assertEquals(-1, service.lastReadMs("alice"));
        core.importUser("alice", 5, null);
        assertEquals(5, service.lastReadMs("alice"));
        assertEquals(5, service.lastReadMs("alice"));
        long token = login("alice");
        assertEquals(WALL_MS, service.lastReadMs("alice"));
        core.closed(token);
        assertEquals(WALL_MS, service.lastReadMs("alice"));
        assertEquals(service.of("alice").lastReadMs(), service.lastReadMs("alice"));
        service.erase("alice");
        assertEquals(-1, service.lastReadMs("alice"));
        core.importUser("bob", 6, null);
        assertEquals(6, service.lastReadMs("bob"));
        core.close();
        assertEquals(-1, service.lastReadMs("bob"));
    }

    @Test
    void someUsers() {
        core.importUser("alice", 5, null);
        core.importUser("bob", 6, "away");
        assertEquals(
                List.of("bob", "alice"),
                new ArrayList<>(service.of(Arrays.asList("bob", "nobody", "alice")).keySet()));
    }

    @Test
    void pagesOfWhoWasNotSeenSince() {
        for (int i = 1; i <= 25; i++) {
            core.importUser("user" + i, i * 1000L, "status " + i);
        }
        login("here");
        LastActivityService.Query query = new LastActivityService.Query().notSeenSince(24_000).byLastRead();
        List<UserActivity> all = new ArrayList<>();
        List<UserActivity> page;
        do {
            page = service.list(query, 10);
            all.addAll(page);
            query.after(page.isEmpty() ? null : page.get(page.size() - 1));
        } while (page.size() == 10);
        assertEquals(23, all.size());
        for (int i = 0; i < all.size(); i++) {
            assertEquals("user" + (i + 1), all.get(i).user());
            assertEquals((i + 1) * 1000L, all.get(i).lastReadMs());
            assertEquals("status " + (i + 1), all.get(i).status());
        }
    }

    @Test
    void search() {
        for (String user : new String[] {"anna", "hanna", "jo\u00e4nn", "bob", "ann"}) {
            core.importUser(user, 1, null);
        }
        assertEquals(List.of("ann", "anna"), names(new LastActivityService.Query().startingWith("ANN"), 10));
        assertEquals(List.of("ann", "anna", "hanna"), names(new LastActivityService.Query().containing("ann"), 10));
        assertEquals(List.of("jo\u00e4nn"), names(new LastActivityService.Query().containing("\u00c4"), 10));
        assertEquals(List.of(), names(new LastActivityService.Query().containing("zz"), 10));
        assertEquals(5, names(new LastActivityService.Query(), 10).size());
    }

    /** Nobody's name has a text in it that is longer than a name can be. */
    @Test
    void longTexts() {
        core.importUser("aaa", 1, null);
        String longest = String.join("", Collections.nCopies(3071, "a"));
        for (String text : new String[] {longest, longest + "a"}) {
            assertEquals(List.of(), names(new LastActivityService.Query().containing(text), 10));
            assertEquals(List.of(), names(new LastActivityService.Query().startingWith(text), 10));
            assertEquals(List.of(), names(new LastActivityService.Query().after(text, 0), 10));
        }
        assertEquals(List.of("aaa"), names(new LastActivityService.Query().containing("aaa"), 10));
    }

    @Test
    void erase() {
        core.importUser("alice", 5, null);
        core.importUser("bob", 6, null);
        assertFalse(service.erase("nobody"));
        assertTrue(service.erase("alice"));
        assertNull(service.of("alice"));
        assertEquals(1, service.erase(Arrays.asList("alice", "bob")));
        assertEquals(List.of(), names(new LastActivityService.Query(), 1));
    }

    @Test
    void whoseLastSessionEnded() {
        assertEquals(1, core.gone().length);
        long token = login("alice");
        ByteBuffer due =
                ByteBuffer.allocateDirect(NativeCore.ACTION_BYTES).order(ByteOrder.nativeOrder());
        core.advance(TimeUnit.SECONDS.toMicros(2), WALL_MS + 2000, due);
        core.closed(token);
        byte[] gone = core.gone();
        assertEquals(0, gone[0]);
        List<UserActivity> users = UserActivity.readAll(gone, 1);
        assertEquals(1, users.size());
        assertEquals("alice", users.get(0).user());
        assertEquals(WALL_MS, users.get(0).lastReadMs());
        assertEquals(WALL_MS + 2000, users.get(0).offlineMs());
    }

    @Test
    void limits() {
        LastActivityService.Query all = new LastActivityService.Query();
        assertThrows(IllegalArgumentException.class, () -> service.list(all, 0));
        assertThrows(IllegalArgumentException.class, () -> service.list(all, LastActivityService.MOST_LISTED + 1));
        assertThrows(IllegalArgumentException.class, () -> all.notSeenSince(0));
    }

    @Test
    void afterTheEndNobodyIsKnown() {
        core.importUser("alice", 5, null);
        core.close();
        assertNull(service.of("alice"));
        assertEquals(List.of(), service.list(new LastActivityService.Query(), 5));
        assertFalse(service.erase("alice"));
        assertNull(core.gone());
    }
}
