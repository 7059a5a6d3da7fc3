package org.igniterealtime.openfire.plugin.heartbeat;

import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.jivesoftware.openfire.session.LocalClientSession;
import org.jivesoftware.openfire.session.Session;

/** One open session, as it was when it was asked for. Its texts come from outside: escape them where they are shown. */
public final class SessionRow {
    /** Whether a session can be resumed over another connection (XEP-0198). */
    public enum StreamManagement {
        /** It was not enabled, or nobody has logged in. */
        OFF,
        /** Stanzas are acknowledged, and no more. */
        ON,
        RESUMABLE
    }

    private final long token;
    private final long rttUs;
    private final long endsInSeconds;
    private final long silentSeconds;
    private final SessionState state;
    private final Transport.Kind transport;
    private final int pings;
    private final int why;
    private final boolean available;
    private final String jid;
    private String address;
    private String client;
    private StreamManagement streamManagement = StreamManagement.OFF;

    SessionRow(ByteBuffer from) {
        token = from.getLong();
        rttUs = from.getLong();
        endsInSeconds = from.getLong();
        silentSeconds = from.getLong();
        state = SessionState.of(from.get());
        transport = Transport.Kind.values()[from.get()];
        pings = from.get() & 0xff;
        why = from.get() & 0xff;
        available = from.get() != 0;
        boolean named = from.get() != 0;
        byte[] text = new byte[from.getShort() & 0xffff];
        from.get(text);
        jid = named ? new String(text, StandardCharsets.UTF_8) : null;
    }

    /** What only Openfire knows. */
    void ask(Watched watched) {
        LocalClientSession session = watched.session;
        if (session == null) {
            address = watched.transport.remote();
            return;
        }
        try {
            address = session.getHostAddress();
        } catch (UnknownHostException | RuntimeException e) {
            address = null; // it has no connection any more
        }
        if (session.getStreamManager().isEnabled()) {
            streamManagement =
                    session.getStreamManager().getResume() ? StreamManagement.RESUMABLE : StreamManagement.ON;
        }
        client = clientOf(session);
    }

    /** The answer to Openfire's own question for the software (XEP-0092), which it asks since 4.6. */
    private static String clientOf(LocalClientSession session) {
        try {
            Object answer = Session.class.getMethod("getSoftwareVersion").invoke(session);
            if (!(answer instanceof Map)) {
                return null;
            }
            Object name = ((Map<?, ?>) answer).get("name");
            Object version = ((Map<?, ?>) answer).get("version");
            return name == null ? null : version == null ? name.toString() : name + " " + version;
        } catch (ReflectiveOperationException e) {
            return null;
        }
    }

    /** What {@link HeartbeatPlugin#ping} and {@link HeartbeatPlugin#disconnect} take; no other session ever has it. */
    public long token() {
        return token;
    }

    /** The full JID, or null before the login. */
    public String jid() {
        return jid;
    }

    public SessionState state() {
        return state;
    }

    public Transport.Kind transport() {
        return transport;
    }

    /** Seconds since anything was read from it. */
    public long silentSeconds() {
        return silentSeconds;
    }

    /** Microseconds of the last ping's way to it and back; -1: none was answered. */
    public long rttUs() {
        return rttUs;
    }

    /** Pings sent since anything was read from it. */
    public int pings() {
        return pings;
    }

    /** Seconds until it is disconnected if nothing is read from it meanwhile; -1: it is not. */
    public long endsInSeconds() {
        return endsInSeconds;
    }

    /** The reason of the last decision about it, as docs/status.md has them: {@code idle}, ... */
    public String why() {
        return Names.reason(why);
    }

    /** Whether its contacts were told that it is available. */
    public boolean isAvailable() {
        return available;
    }

    /** The address that it is connected from, or null where Openfire does not know any more. */
    public String address() {
        return address;
    }

    /** The client's own name and version, or null where Openfire does not know. */
    public String client() {
        return client;
    }

    public StreamManagement streamManagement() {
        return streamManagement;
    }
}
