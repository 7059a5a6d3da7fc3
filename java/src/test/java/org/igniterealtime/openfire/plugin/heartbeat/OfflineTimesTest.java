package org.igniterealtime.openfire.plugin.heartbeat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Which rows of Openfire's table are of sessions that the core did not hear of. The rest is tested on a real server. */
final class OfflineTimesTest {
    private static final long MONDAY = 1_700_000_000_000L;
    private static final long TUESDAY = MONDAY + TimeUnit.DAYS.toMillis(1);

    /** This server stopped then, and was started again an hour later. */
    private static final long STOP = TUESDAY + TimeUnit.DAYS.toMillis(1);

    private static final long STOP_FROM = STOP - TimeUnit.MINUTES.toMillis(10);
    private static final long STOP_UNTIL = STOP + TimeUnit.MINUTES.toMillis(10);
    private static final long NOW = STOP + TimeUnit.HOURS.toMillis(1);

    private static boolean isAnothers(long row, long end) {
        return OfflineTimes.isAnothers(row, end, STOP_FROM, STOP_UNTIL, NOW);
    }

    @Test
    void aDayAfterTheEndThatWasSeenIsAnothers() {
        assertTrue(isAnothers(TUESDAY, MONDAY));
        assertTrue(isAnothers(TUESDAY, 0), "no end was ever seen");
        assertTrue(isAnothers(NOW - 1, MONDAY), "since the start");
    }

    @Test
    void whatOpenfireWritesOfAnEndIsNot() {
        assertFalse(isAnothers(TUESDAY, TUESDAY));
        assertFalse(isAnothers(TUESDAY - 1, TUESDAY), "older rows are corrected");
        assertFalse(isAnothers(TUESDAY + TimeUnit.MINUTES.toMillis(5), TUESDAY), "when many end at once");
    }

    @Test
    void whatOpenfireWritesAtAStopIsNot() {
        assertFalse(isAnothers(STOP, MONDAY));
        assertFalse(isAnothers(STOP_FROM, MONDAY));
        assertFalse(isAnothers(STOP_UNTIL, MONDAY));
        assertTrue(isAnothers(STOP_FROM - 1, MONDAY));
        assertTrue(isAnothers(STOP_UNTIL + 1, MONDAY));
    }

    @Test
    void whatIsNotYetOrNoTimeIsNot() {
        assertFalse(isAnothers(NOW + 1, MONDAY));
        assertFalse(isAnothers(PresenceTable.time("never"), MONDAY));
        assertEquals(MONDAY, PresenceTable.time(PresenceTable.digits(MONDAY)));
    }
}
