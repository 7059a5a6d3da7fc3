package org.igniterealtime.openfire.heartbeat.harness;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** Cuts an XMPP stream into its elements, byte by byte, however they arrive. Not thread-safe. */
final class StreamReader {
    interface Listener {
        void opened(String header);

        void element(String xml);

        void closed();
    }

    private final Listener listener;
    private final ByteArrayOutputStream element = new ByteArrayOutputStream();
    private int depth;
    private boolean inTag;
    private char quote;
    private int first;
    private int last;

    StreamReader(Listener listener) {
        this.listener = listener;
    }

    /** The next thing will be a new stream header. */
    void restart() {
        depth = 0;
        inTag = false;
        quote = 0;
        element.reset();
    }

    void read(ByteBuffer bytes) {
        while (bytes.hasRemaining()) {
            int b = bytes.get();
            if (!inTag) {
                text(b);
            } else {
                tag(b);
            }
        }
    }

    private void text(int b) {
        if (b == '<') {
            inTag = true;
            first = 0;
            last = 0;
        } else if (depth < 2) {
            return; // Whitespace between elements.
        }
        element.write(b);
    }

    private void tag(int b) {
        element.write(b);
        if (quote != 0) {
            quote = b == quote ? 0 : quote;
            return;
        }
        if (b == '>') {
            inTag = false;
            endOfTag();
            return;
        }
        if (b == '\'' || b == '"') {
            quote = (char) b;
        }
        first = first == 0 ? b : first;
        last = b;
    }

    private void endOfTag() {
        if (first == '?' || first == '!') {
            element.reset();
        } else if (first == '/') {
            depth--;
            if (depth == 0) {
                element.reset();
                listener.closed();
            } else if (depth == 1) {
                complete();
            }
        } else if (last == '/') {
            if (depth == 1) {
                complete();
            }
        } else {
            depth++;
            if (depth == 1) {
                String header = element.toString(StandardCharsets.UTF_8);
                element.reset();
                listener.opened(header);
            }
        }
    }

    private void complete() {
        String xml = element.toString(StandardCharsets.UTF_8);
        element.reset();
        listener.element(xml);
    }
}
