package org.igniterealtime.openfire.heartbeat.harness;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.CancelledKeyException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.util.concurrent.ConcurrentLinkedQueue;

/** The one thread that reads for all clients, so that a thousand of them cost no thousand threads. */
final class Wire {
    private static final Wire ONLY = new Wire();

    interface End {
        /** Called in the wire's thread. null: the connection ended, {@code failure} says how if not in order. */
        void read(ByteBuffer bytes, IOException failure);
    }

    private record Entry(SocketChannel channel, End end) {}

    private final Selector selector;
    private final ConcurrentLinkedQueue<Entry> entries = new ConcurrentLinkedQueue<>();

    private Wire() {
        try {
            selector = Selector.open();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Thread thread = new Thread(this::run, "wire");
        thread.setDaemon(true);
        thread.setPriority(Thread.MAX_PRIORITY);
        thread.start();
    }

    /** Lets {@code end} hear of all that comes in on this connected channel, until it ends. */
    static void join(SocketChannel channel, End end) throws IOException {
        channel.configureBlocking(false);
        ONLY.entries.add(new Entry(channel, end));
        wakeUp();
    }

    static void wakeUp() {
        ONLY.selector.wakeup();
    }

    private void run() {
        ByteBuffer bytes = ByteBuffer.allocateDirect(1 << 16);
        while (true) {
            try {
                selector.select();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            for (Entry entry = entries.poll(); entry != null; entry = entries.poll()) {
                try {
                    entry.channel.register(selector, SelectionKey.OP_READ, entry.end);
                } catch (IOException | RuntimeException e) {
                    entry.end.read(null, new IOException(e));
                }
            }
            for (SelectionKey key : selector.selectedKeys()) {
                read(key, bytes);
            }
            selector.selectedKeys().clear();
        }
    }

    private static void read(SelectionKey key, ByteBuffer bytes) {
        End end = (End) key.attachment();
        try {
            bytes.clear();
            int count = ((SocketChannel) key.channel()).read(bytes);
            if (count < 0) {
                key.cancel();
                end.read(null, null);
            } else {
                end.read(bytes.flip(), null);
            }
        } catch (CancelledKeyException e) {
            // Closed by its owner meanwhile.
        } catch (IOException e) {
            key.cancel();
            end.read(null, e);
        }
    }
}
