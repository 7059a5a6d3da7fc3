package org.igniterealtime.openfire.plugin.heartbeat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class SessionListTest {
    private static final long WALL_MS = 1_700_000_000_000L;

    private final ByteBuffer due = ByteBuffer.allocateDirect(64 * NativeCore.ACTION_BYTES).order(ByteOrder.nativeOrder());
    private NativeCore core;
    private long nowUs;

    @BeforeEach
    void open() throws NativeCore.PolicyException {
        TestLibrary.load();
        core = new NativeCore(0, WALL_MS);
        core.configure("{\"idle\": \"1m\", \"ack_timeout\": \"30s\", \"login_within\": \"20s\"}", 0, true);
        tick();
    }

    @AfterEach
    void close() {
        core.close();
    }

    private void tick() {
        nowUs += TimeUnit.SECONDS.toMicros(1);
        assertTrue(core.advance(nowUs, WALL_MS + TimeUnit.MICROSECONDS.toMillis(nowUs), due) > 0);
    }

    private long login(String jid) {
        long token = core.open(Transport.Kind.TCP.code, 0, nowUs, nowUs);
        assertEquals(0, core.bound(token, jid, false));
        return token;
    }

    private SessionList list(SessionQuery query) {
        return SessionList.read(core.list(query));
    }

    private List<String> jids(SessionQuery query) {
        return list(query).rows().stream().map(SessionRow::jid).collect(Collectors.toList());
    }

    @Test
    void tellsWhatTheCoreKnows() {
        long alice = login("\u00e4lice@example.org/\u624b\u673a");
        core.available(alice);
        long stranger = core.open(Transport.Kind.WEBSOCKET.code, 0, nowUs, nowUs);
        assertEquals((long) NativeCore.PING << 32 | NativeCore.WHY_ADMIN, core.ask(alice, NativeCore.PING));
        NativeCore.Order order = core.begin(alice, NativeCore.PING, 0, nowUs);
        assertEquals(NativeCore.PING, order.verb);
        assertEquals(NativeCore.WHY_ADMIN, order.why);
        assertTrue(core.pong(alice, order.text, nowUs + 1500));
        tick();

        SessionList all = list(SessionQuery.all());
        assertEquals(2, all.total());
        assertEquals(2, all.rows().size());
        assertEquals(1, all.count(SessionState.ALIVE));
        assertEquals(1, all.count(SessionState.CONNECTED));
        assertEquals(0, all.count(SessionState.CLOSED));

        SessionRow row = all.rows().get(0);
        assertEquals(stranger, row.token());
        assertNull(row.jid());
        assertEquals(Transport.Kind.WEBSOCKET, row.transport());
        assertEquals(20, row.endsInSeconds());
        assertEquals("none", row.why());
        assertEquals(-1, row.rttUs());
        assertEquals(SessionRow.StreamManagement.OFF, row.streamManagement());

        row = all.rows().get(1);
        assertEquals(alice, row.token());
        assertEquals("\u00e4lice@example.org/\u624b\u673a", row.jid());
        assertEquals(SessionState.ALIVE, row.state());
        assertEquals(1500, row.rttUs());
        assertEquals(1, row.silentSeconds());
        assertEquals(0, row.pings());
        assertEquals(90, row.endsInSeconds());
        assertEquals("admin", row.why());
        assertTrue(row.isAvailable());
    }

    @Test
    void filtersSortsAndPages() {
        for (int i = 0; i < 30; i++) {
            login("user" + (char) ('a' + i % 26) + i + "@example.org/r");
            if (i % 10 == 0) {
                tick();
            }
        }
        core.open(Transport.Kind.BOSH.code, 0, nowUs, nowUs);
        assertEquals(List.of("userz25@example.org/r"), jids(SessionQuery.all().containing("USERZ")));
        assertEquals(1, list(SessionQuery.all().in(EnumSet.of(SessionState.CONNECTED))).total());
        assertEquals(30, list(SessionQuery.all().over(EnumSet.of(Transport.Kind.TCP))).total());
        assertEquals(
                List.of("userz25@example.org/r", "usery24@example.org/r"),
                jids(SessionQuery.all().sortedBy(SessionQuery.Sort.JID, true).rows(0, 2)));
        assertEquals(
                List.of("usera0@example.org/r"),
                jids(SessionQuery.all().sortedBy(SessionQuery.Sort.SILENT, true).rows(0, 1)));
        assertEquals(1, list(SessionQuery.all().rows(30, 1000)).rows().size());
        assertEquals(31, list(SessionQuery.all().rows(1_000_000_000_000L, 1)).total());
        assertThrows(IllegalArgumentException.class, () -> SessionQuery.all().rows(-1, 1));
        assertThrows(IllegalArgumentException.class, () -> SessionQuery.all().rows(0, 0));
        assertThrows(IllegalArgumentException.class, () -> SessionQuery.all().rows(0, SessionQuery.MOST + 1));
        assertEquals(0, list(SessionQuery.all().containing("\u00e9".repeat(5000))).total());
        assertEquals(SessionQuery.Sort.ENDS, SessionQuery.Sort.of("ends"));
        assertEquals(SessionQuery.Sort.JID, SessionQuery.Sort.of("<script>"));
    }

    @Test
    void whatIsAskedOfTheWrongOneIsRefused() {
        long token = login("alice@example.org/r");
        assertTrue(core.ask(token, NativeCore.CUT) < 0);
        assertEquals((long) NativeCore.DISCONNECT << 32 | NativeCore.WHY_ADMIN, core.ask(token, NativeCore.DISCONNECT));
        assertEquals(NativeCore.CLOSE, core.begin(token, NativeCore.DISCONNECT, NativeCore.FACT_RESUMABLE, nowUs).verb);
        assertEquals(0, core.ask(token, NativeCore.DISCONNECT));
        core.closed(token);
        assertEquals(NativeCore.STALE, core.ask(token, NativeCore.DISCONNECT));
        core.close();
        assertEquals(NativeCore.CLOSED, core.ask(token, NativeCore.PING));
        assertNull(core.list(SessionQuery.all()));
        assertFalse(core.why("alice@example.org/r") != null);
    }
}
