package org.igniterealtime.openfire.heartbeat.harness;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLEngineResult.Status;
import javax.net.ssl.SSLException;

/** A client's side of TLS: bytes of the stream to bytes of the wire, and back. Does no I/O. Not thread-safe. */
final class Tls {
    private static final ByteBuffer NOTHING = ByteBuffer.allocate(0);

    private final SSLEngine engine;
    private final ByteBuffer plain;
    private final ByteBuffer record;
    private final ByteArrayOutputStream owed = new ByteArrayOutputStream();
    /** What has arrived of a record that is not complete yet. */
    private ByteBuffer sealed;

    private boolean ready;

    /** Begins the handshake: see {@link #owed()}. */
    Tls() throws IOException, GeneralSecurityException {
        engine = TestCertificate.trusting().createSSLEngine();
        engine.setUseClientMode(true);
        plain = ByteBuffer.allocate(engine.getSession().getApplicationBufferSize());
        record = ByteBuffer.allocate(engine.getSession().getPacketBufferSize());
        sealed = ByteBuffer.allocate(engine.getSession().getPacketBufferSize());
        engine.beginHandshake();
        handshake(engine.getHandshakeStatus());
    }

    /** The handshake is over: the stream may be written. */
    boolean isReady() {
        return ready;
    }

    /** What the handshake has to say to the server, each byte of it once. */
    ByteBuffer owed() {
        ByteBuffer bytes = ByteBuffer.wrap(owed.toByteArray());
        owed.reset();
        return bytes;
    }

    /** The bytes of the wire for these of the stream. */
    ByteBuffer seal(ByteBuffer stream) throws SSLException {
        while (stream.hasRemaining()) {
            wrap(stream);
        }
        return owed();
    }

    /** The bytes of the stream that these of the wire complete. Afterwards there may be something {@link #owed()}. */
    ByteBuffer open(ByteBuffer wire) throws SSLException {
        ByteBuffer all = ByteBuffer.allocate(sealed.flip().remaining() + wire.remaining());
        sealed = all.put(sealed).put(wire).flip();
        ByteArrayOutputStream stream = new ByteArrayOutputStream();
        Status status = Status.OK;
        while (status == Status.OK && sealed.hasRemaining()) {
            SSLEngineResult result = engine.unwrap(sealed, plain.clear());
            stream.write(plain.array(), 0, plain.position());
            handshake(result.getHandshakeStatus());
            status = result.getStatus();
        }
        sealed.compact();
        return ByteBuffer.wrap(stream.toByteArray());
    }

    private void handshake(HandshakeStatus next) throws SSLException {
        HandshakeStatus status = next;
        // The end of TLS is not answered: a client here says what a test tells it to.
        while (!engine.isInboundDone()) {
            switch (status) {
                case NEED_TASK -> {
                    for (Runnable task = engine.getDelegatedTask(); task != null; task = engine.getDelegatedTask()) {
                        task.run();
                    }
                    status = engine.getHandshakeStatus();
                }
                case NEED_WRAP -> status = wrap(NOTHING).getHandshakeStatus();
                case FINISHED -> {
                    ready = true;
                    return;
                }
                default -> {
                    return;
                }
            }
        }
    }

    private SSLEngineResult wrap(ByteBuffer stream) throws SSLException {
        SSLEngineResult result = engine.wrap(stream, record.clear());
        if (result.getStatus() != Status.OK && result.bytesProduced() == 0) {
            throw new SSLException("TLS is over: " + result);
        }
        owed.write(record.array(), 0, record.position());
        return result;
    }
}
