package org.igniterealtime.openfire.heartbeat.soak;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;

/** The judge of the soak finds what leaks, and nothing else. */
final class SeriesTest {
    private static final double WARM_UP = 120;
    private static final double END = 300;
    private static final double STEP = 5;

    private static Series series(double allowed, DoubleUnaryOperator value) {
        Series series = new Series("it", "MB", allowed);
        for (double t = STEP; t <= END; t += STEP) {
            series.add(t, value.applyAsDouble(t));
        }
        return series;
    }

    @Test
    void whatIsFlatIsFlatHoweverItTrembles() {
        for (int seed = 0; seed < 200; seed++) {
            Random random = new Random(seed);
            assertFalse(series(3, t -> 100 + random.nextGaussian() / 2).grows(WARM_UP), "seed " + seed);
        }
    }

    @Test
    void aLeakIsFoundHoweverItTrembles() {
        for (int seed = 0; seed < 200; seed++) {
            Random random = new Random(seed);
            // 6 in the three minutes after the warm-up.
            assertTrue(series(3, t -> 100 + t / 30 + random.nextGaussian() / 2).grows(WARM_UP), "seed " + seed);
        }
    }

    @Test
    void theWarmUpDoesNotCount() {
        Series series = series(3, t -> t < WARM_UP ? t : WARM_UP);
        assertEquals(0, series.slope(WARM_UP));
        assertFalse(series.grows(WARM_UP));
        assertTrue(series.grows(0));
    }

    @Test
    void theSlopeIsThatOfMost() {
        Series series = series(3, t -> t % 50 == 0 ? 1000 : 100 + t / 100);
        assertEquals(0.01, series.slope(WARM_UP), 0.002);
        assertFalse(series.grows(WARM_UP));
    }

    @Test
    void oneThreadForEachReloadIsFound() {
        // A reload each 20 s.
        assertTrue(series(3, t -> 60 + Math.floor(t / 20)).grows(WARM_UP));
    }

    @Test
    void oneStepIsFoundWhereNothingMayStay() {
        Series series = series(0, t -> t < 250 ? 1 : 2);
        assertEquals(0, series.slope(WARM_UP));
        assertTrue(series.grows(WARM_UP));
        assertFalse(series(0, t -> t > 200 && t < 230 ? 2 : 1).grows(WARM_UP));
    }

    @Test
    void aSawThatIsCollectedIsFlat() {
        assertFalse(series(3, t -> 100 + t % 40).grows(WARM_UP));
    }

    @Test
    void tooFewSamplesAreNoProof() {
        assertThrows(IllegalStateException.class, () -> series(3, t -> 1).grows(280));
    }
}
