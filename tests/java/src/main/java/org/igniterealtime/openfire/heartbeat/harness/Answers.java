package org.igniterealtime.openfire.heartbeat.harness;

import java.io.IOException;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The launcher's answers, and who waits for them. A line is a number, "ok" or "failed", and a text, with tabs between; what
 * else the process prints there is nobody's answer. Any thread may call.
 */
final class Answers {
    private final String name;
    private final Map<String, CompletableFuture<String>> waiting = new ConcurrentHashMap<>();
    private volatile boolean over;

    Answers(String name) {
        this.name = name;
    }

    /** The answer that will come with this number; it fails when no more can come. */
    CompletableFuture<String> expect(String number) {
        CompletableFuture<String> answer = new CompletableFuture<>();
        waiting.put(number, answer);
        if (over) {
            end();
        }
        return answer;
    }

    /** False: the line is no answer that somebody waits for. */
    boolean take(String line) {
        String[] fields = line.split("\t", 3);
        CompletableFuture<String> answer = fields.length < 3 ? null : waiting.remove(fields[0]);
        if (answer == null) {
            return false;
        }
        if (fields[1].equals("ok")) {
            answer.complete(unescape(fields[2]));
        } else {
            answer.completeExceptionally(new IllegalStateException(unescape(fields[2])));
        }
        return true;
    }

    /** No more will come. */
    void end() {
        over = true;
        waiting.values().forEach(answer -> answer.completeExceptionally(new IOException(name + " is gone")));
    }

    private static String unescape(String text) {
        StringBuilder plain = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '\\') {
                c = text.charAt(++i);
                c = c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c;
            }
            plain.append(c);
        }
        return plain.toString();
    }
}
