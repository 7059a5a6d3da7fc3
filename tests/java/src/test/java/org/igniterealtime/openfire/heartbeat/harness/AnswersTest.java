package org.igniterealtime.openfire.heartbeat.harness;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;

/** Whatever a server prints beside its answers, nobody who waits for one is forgotten. */
final class AnswersTest {
    private final Answers answers = new Answers("server");

    @Test
    void goToWhomTheyBelong() throws Exception {
        CompletableFuture<String> first = answers.expect("1");
        CompletableFuture<String> second = answers.expect("2");
        assertTrue(answers.take("2\tok\ta\\tb\\\\n"));
        assertEquals("a\tb\\n", second.get());
        assertFalse(first.isDone());
        assertTrue(answers.take("1\tfailed\tno"));
        assertEquals("no", assertThrows(ExecutionException.class, first::get).getCause().getMessage());
    }

    @Test
    void areNotConfusedByWhatIsNone() throws Exception {
        CompletableFuture<String> answer = answers.expect("1");
        assertFalse(answers.take("[12.3s][warning][gc,alloc] Retried waiting for GCLocker too often"));
        assertFalse(answers.take("a\ttab"));
        assertFalse(answers.take("7\tok\tof a command that nobody waits for"));
        assertFalse(answers.take(""));
        assertTrue(answers.take("1\tok\t"));
        assertEquals("", answer.get());
        assertFalse(answers.take("1\tok\ttwice"));
    }

    @Test
    void comeToNobodyAfterTheEnd() {
        CompletableFuture<String> before = answers.expect("1");
        answers.end();
        assertThrows(ExecutionException.class, before::get);
        assertThrows(ExecutionException.class, answers.expect("2")::get);
    }
}
