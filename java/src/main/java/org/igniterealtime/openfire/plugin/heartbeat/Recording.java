package org.igniterealtime.openfire.plugin.heartbeat;

import java.io.File;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import org.jivesoftware.util.JiveGlobals;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes down what the core is given and what it decides, while property {@code plugin.heartbeat.record} is true: a file
 * of bounded size in Openfire's folder of logs, begun anew each time.
 *
 * <p>Threads: {@link #look} from one at a time; {@link #close} after the last one.
 */
final class Recording implements AutoCloseable {
    static final String PROPERTY = "plugin.heartbeat.record";

    private static final Logger Log = LoggerFactory.getLogger(Recording.class);
    private static final String FILE = "heartbeat-recording.txt";

    /** Of the core's buffer: what is open at the begin, and what happens in a second. Unused, it takes no memory. */
    private static final int CAPACITY = 64 << 20;

    private static final int PIECE = 1 << 20;

    private final NativeCore core;
    private final File file;
    private final long most;
    private FileChannel out;
    private ByteBuffer piece;

    /** Over, though the property is still true: it begins again when that was false in between. */
    private boolean over;

    /** @param most bytes of the file */
    Recording(NativeCore core, File logs, long most) {
        this.core = core;
        this.file = new File(logs, FILE);
        this.most = most;
    }

    /** Begins, goes on or ends. */
    synchronized void look() {
        boolean wanted = JiveGlobals.getBooleanProperty(PROPERTY, false);
        try {
            if (!wanted) {
                over = false;
                if (out != null) {
                    write();
                    end("it was switched off");
                }
            } else if (out != null) {
                write();
            } else if (!over) {
                begin();
            }
        } catch (IOException e) {
            Log.error("{} can not be written to, nothing is recorded: {}", file, e.toString());
            end(null);
        }
    }

    private void begin() throws IOException {
        over = true;
        int code = core.record(CAPACITY);
        if (code < 0) {
            if (code != NativeCore.CLOSED) {
                Log.error("The core does not record: code {}", code);
            }
            return;
        }
        out = new RandomAccessFile(file, "rw").getChannel();
        out.truncate(0);
        piece = ByteBuffer.allocateDirect(PIECE);
        Log.info("Recording to {}, at most {} bytes", file, most);
    }

    private void write() throws IOException {
        int length;
        do {
            length = core.recorded(piece);
            if (length < 0) {
                end(length == NativeCore.FULL ? "more came than there is room for in a second" : null);
                return;
            }
            piece.position(0).limit(length);
            while (piece.hasRemaining()) {
                out.write(piece);
            }
            piece.clear();
            if (out.position() >= most) {
                end("it is large enough");
                return;
            }
        } while (length == PIECE);
    }

    private void end(String why) {
        over = true;
        core.recordEnd();
        piece = null;
        if (out == null) {
            return;
        }
        try {
            out.close();
        } catch (IOException e) {
            Log.error("{} could not be closed: {}", file, e.toString());
        }
        out = null;
        if (why != null) {
            Log.info("The recording in {} is at its end: {}", file, why);
        }
    }

    @Override
    public synchronized void close() {
        if (out == null) {
            return;
        }
        try {
            write();
        } catch (IOException e) {
            Log.error("{} can not be written to: {}", file, e.toString());
        }
        end("the plugin ends");
    }
}
