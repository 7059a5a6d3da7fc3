package org.igniterealtime.openfire.heartbeat.harness;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/**
 * A client that does on the wire exactly what a test says, well-behaved or not, and notes all it sees. Methods that wait
 * fail with the client's timeline when it waits in vain. Any thread may call; events come in the order of the wire.
 */
public final class RawClient implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private final String name;
    private final String domain;
    private final SocketChannel channel;
    private final List<Event> events = new ArrayList<>();
    private final StreamReader reader;
    private volatile PingAnswer answer = PingAnswer.NOTHING;

    /** By us. Guarded by the channel. */
    private boolean streamClosed;
    private volatile boolean acknowledging;
    /** Null while the stream is in the clear; used by whoever holds the channel. */
    private volatile Tls tls;
    private final long connected;
    private volatile long lastSent;
    private String user;
    private String jid;
    private String language;
    private int nextId = 1;

    private RawClient(OpenfireServer.Door door, String name) {
        this.name = name;
        this.domain = door.domain();
        this.reader = new StreamReader(new StreamReader.Listener() {
            @Override
            public void opened(String header) {
                note(Event.Kind.OPENED, new Stanza(header), null);
            }

            @Override
            public void element(String xml) {
                Stanza stanza = new Stanza(xml);
                note(Event.Kind.STANZA, stanza, null);
                if (answer != PingAnswer.NOTHING && stanza.isPing()) {
                    send(answer.to(stanza));
                }
                if (acknowledging && stanza.name().equals("r")) {
                    send("<a xmlns='urn:xmpp:sm:3' h='" + received() + "'/>");
                }
            }

            @Override
            public void closed() {
                note(Event.Kind.CLOSED, null, null);
            }
        });
        try {
            channel = SocketChannel.open();
            channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
            connected = System.nanoTime();
            channel.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), door.port()));
            lastSent = connected;
            Wire.join(channel, this::arrived);
        } catch (IOException e) {
            throw new UncheckedIOException(name + " can not connect", e);
        }
    }

    /** Opens a connection, and says nothing yet. */
    public static RawClient connect(OpenfireServer.Door door, String name) {
        return new RawClient(door, name);
    }

    /** Connects and logs in as a user whose password is its name; no presence yet. */
    public static RawClient login(OpenfireServer.Door door, String user, String resource) {
        return connect(door, user + "/" + resource).authenticate(user).bind(resource);
    }

    /** The same over TLS: begun with STARTTLS (RFC 6120, section 5), or before anything else (XEP-0368). */
    public static RawClient loginOverTls(OpenfireServer server, boolean direct, String user, String resource) {
        String name = user + "/" + resource;
        RawClient client = direct
                ? connect(server.directTlsDoor(), name).secure()
                : connect(server.door(), name).startTls();
        return client.authenticate(user).bind(resource);
    }

    public static RawClient loginAnonymously(OpenfireServer.Door door) {
        RawClient client = connect(door, "anonymous");
        client.openStream();
        client.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>");
        client.await("success of SASL", event -> event.isStanza("success"));
        client.openStream();
        return client.bind(null);
    }

    // ---- Logging in, step by step.

    /** Says in its streams what it wants to read (RFC 6120, section 4.7.4). */
    public RawClient speaking(String tag) {
        language = tag;
        return this;
    }

    public RawClient openStream() {
        int from;
        synchronized (reader) {
            reader.restart();
            from = count();
        }
        send("<stream:stream to='" + domain
                + "' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'"
                + (language == null ? "" : " xml:lang='" + language + "'") + ">");
        await(from, PATIENCE, "stream features", event -> event.isStanza("stream:features"));
        return this;
    }

    private RawClient startTls() {
        openStream();
        send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        await("leave to begin TLS", event -> event.isStanza("proceed"));
        return secure();
    }

    /** TLS from here on. */
    private RawClient secure() {
        try {
            synchronized (channel) {
                Tls begun = new Tls();
                tls = begun;
                write(begun.owed());
            }
        } catch (IOException | GeneralSecurityException e) {
            throw new IllegalStateException(name + " can not begin TLS", e);
        }
        await("TLS", event -> event.kind() == Event.Kind.SECURED);
        return this;
    }

    /** SASL PLAIN (RFC 4616), then the stream anew. */
    public RawClient authenticate(String userName) {
        user = userName;
        openStream();
        byte[] credentials = ("\0" + userName + "\0" + userName).getBytes(StandardCharsets.UTF_8);
        send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"
                + Base64.getEncoder().encodeToString(credentials) + "</auth>");
        await("success of SASL", event -> event.isStanza("success"));
        return openStream();
    }

    /** Binds a resource (RFC 6120, section 7); null lets the server choose. */
    public RawClient bind(String resource) {
        String wish = resource == null ? "" : "<resource>" + Stanza.escape(resource) + "</resource>";
        Stanza bound = request("set", "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>" + wish + "</bind>");
        jid = bound.text("jid");
        return this;
    }

    /** Sends initial presence (RFC 6121, section 4.2), and waits until the server has taken it. */
    public RawClient available() {
        send("<presence/>");
        return sync();
    }

    /** A round trip to the server: all that was sent before has been processed by then. */
    public RawClient sync() {
        request("get", "<ping xmlns='urn:xmpp:ping'/>");
        return this;
    }

    /** Sends an IQ to the server and returns its result. */
    public Stanza request(String type, String payload) {
        return request(type, null, payload);
    }

    /** The same to this address; null: none. */
    public Stanza request(String type, String to, String payload) {
        Stanza reply = ask(type, to, payload);
        if (!"result".equals(reply.attribute("type"))) {
            throw new IllegalStateException(name + " was refused: " + reply);
        }
        return reply;
    }

    /** The same, and returns the answer be it an error. */
    public Stanza ask(String type, String to, String payload) {
        String id = "r" + nextId++;
        int from = count();
        String address = to == null ? "" : " to='" + Stanza.escape(to) + "'";
        send("<iq type='" + type + "' id='" + id + "'" + address + ">" + payload + "</iq>");
        return await(
                        from, PATIENCE, "the answer to " + id,
                        event -> event.isStanza("iq") && id.equals(event.stanza().attribute("id")))
                .stanza();
    }

    /** Enables stream management (XEP-0198) with resumption; returns the id to resume with. */
    public String enableResumption() {
        int from = count();
        send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
        return await(from, PATIENCE, "stream management", event -> event.isStanza("enabled"))
                .stanza()
                .attribute("id");
    }

    /**
     * Resumes a session of this user on this connection, which has authenticated but not bound; the server sends again
     * what came after the first so many stanzas. False if it refuses.
     */
    public boolean resume(String id, long received) {
        int from = count();
        send("<resume xmlns='urn:xmpp:sm:3' previd='" + id + "' h='" + received + "'/>");
        return await(
                        from, PATIENCE, "the session to be resumed",
                        event -> event.isStanza("resumed") || event.isStanza("failed"))
                .isStanza("resumed");
    }

    /** Answers the server from now on when it asks how many stanzas have arrived. */
    public RawClient acknowledge() {
        acknowledging = true;
        return this;
    }

    /** Asks the server how many stanzas it has got since stream management is on. */
    public long acknowledgement() {
        int from = count();
        send("<r xmlns='urn:xmpp:sm:3'/>");
        Event answer = await(from, PATIENCE, "an acknowledgement", event -> event.isStanza("a"));
        return Long.parseLong(answer.stanza().attribute("h"));
    }

    /** How many stanzas this client has got since stream management is on, as XEP-0198, section 4, has them counted. */
    public long received() {
        return events().stream()
                .dropWhile(event -> !event.isStanza("enabled"))
                .filter(event -> event.kind() == Event.Kind.STANZA && event.stanza().isCounted())
                .count();
    }

    /** How many it has sent, if each was sent by itself. */
    public long sent() {
        return events().stream()
                .filter(event -> event.kind() == Event.Kind.SENT)
                .dropWhile(event -> !event.text().startsWith("<enable "))
                .filter(event -> new Stanza(event.text()).isCounted())
                .count();
    }

    // ---- Sending, and ways to go.

    public RawClient answerPings(PingAnswer how) {
        answer = how;
        return this;
    }

    /** Writes this text in one piece. Returns without a word when the connection is gone, or the stream is closed. */
    public void send(String text) {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
        synchronized (channel) {
            if (streamClosed) {
                return;
            }
            lastSent = System.nanoTime();
            note(Event.Kind.SENT, null, text);
            try {
                write(tls == null ? bytes : tls.seal(bytes));
            } catch (IOException e) {
                note(Event.Kind.BROKEN, null, e.getMessage());
            }
        }
    }

    /** To be called with the channel held. */
    private void write(ByteBuffer bytes) throws IOException {
        try {
            while (bytes.hasRemaining()) {
                if (channel.write(bytes) == 0) {
                    TimeUnit.MILLISECONDS.sleep(1);
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Sends unavailable presence with a status text. */
    public void unavailable(String status) {
        send("<presence type='unavailable'><status>" + Stanza.escape(status) + "</status></presence>");
    }

    /** Ends the stream as RFC 6120, section 4.4, has it: nothing is sent after it, not even an answer. */
    public void closeStream() {
        synchronized (channel) {
            send("</stream:stream>");
            streamClosed = true;
        }
    }

    /** Ends the connection without a word, in order: TCP FIN. Goes on reading. */
    public void finish() {
        attempt(channel::shutdownOutput);
    }

    /** Breaks the connection: TCP RST. */
    public void reset() {
        attempt(() -> channel.setOption(StandardSocketOptions.SO_LINGER, 0));
        close();
    }

    @Override
    public void close() {
        attempt(channel::close);
        // A channel with a selector is really closed by its next selection.
        Wire.wakeUp();
    }


    private interface Deed {
        void run() throws IOException;
    }

    private static void attempt(Deed deed) {
        try {
            deed.run();
        } catch (IOException e) {
            // It is gone already.
        }
    }

    // ---- What was seen.

    public String name() {
        return name;
    }

    public String user() {
        return user;
    }

    /** The full JID that the server gave. */
    public String jid() {
        return jid;
    }

    /** When it began to connect. */
    public long connected() {
        return connected;
    }

    /** When it last began to write something: silence counts from here, or a moment later. */
    public long lastSent() {
        return lastSent;
    }

    public int localPort() {
        try {
            return ((InetSocketAddress) channel.getLocalAddress()).getPort();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public List<Event> events() {
        synchronized (events) {
            return List.copyOf(events);
        }
    }

    public List<Event> events(Predicate<Event> which) {
        return events().stream().filter(which).toList();
    }

    /** The events since this moment. */
    public List<Event> events(long since, Predicate<Event> which) {
        return events(event -> event.at() - since >= 0 && which.test(event));
    }

    public List<Event> pings() {
        return events(Event::isPing);
    }

    /** Presences of this type (null: available) that came from this address, bare or full. */
    public List<Event> presences(String from, String type) {
        return events(event -> event.isPresence(type) && isFrom(event.stanza(), from));
    }

    private static boolean isFrom(Stanza stanza, String address) {
        String from = stanza.attribute("from");
        return from != null && (from.equals(address) || from.startsWith(address + "/"));
    }

    public boolean isOver() {
        return !events(Event::isOver).isEmpty();
    }

    private int count() {
        synchronized (events) {
            return events.size();
        }
    }

    public Event await(String what, Predicate<Event> which) {
        return await(0, PATIENCE, what, which);
    }

    public Event await(Duration patience, String what, Predicate<Event> which) {
        return await(0, patience, what, which);
    }

    public Event awaitPresence(String from, String type) {
        return await(
                PATIENCE, "presence of " + from,
                event -> event.isPresence(type) && isFrom(event.stanza(), from));
    }

    /** Waits until an event of this kind is there, from the event with this index on. */
    private Event await(int from, Duration patience, String what, Predicate<Event> which) {
        long end = System.nanoTime() + patience.toNanos();
        synchronized (events) {
            int next = from;
            while (true) {
                for (; next < events.size(); next++) {
                    if (which.test(events.get(next))) {
                        return events.get(next);
                    }
                }
                long left = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
                if (left <= 0) {
                    throw new AssertionError(name + " waited in vain for " + what + "\n" + Timeline.of(this));
                }
                try {
                    events.wait(left);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    throw new IllegalStateException(e);
                }
            }
        }
    }

    private void arrived(ByteBuffer bytes, IOException failure) {
        if (bytes == null) {
            note(failure == null ? Event.Kind.END : Event.Kind.BROKEN, null, failure == null ? null : failure.getMessage());
            close();
            return;
        }
        ByteBuffer stream = bytes;
        try {
            stream = tls == null ? bytes : open(bytes);
        } catch (IOException e) {
            note(Event.Kind.BROKEN, null, e.getMessage());
            close();
            return;
        }
        synchronized (reader) {
            reader.read(stream);
        }
    }

    /** Nobody is told of what is in there while the channel is held: they might send. */
    private ByteBuffer open(ByteBuffer bytes) throws IOException {
        synchronized (channel) {
            boolean before = tls.isReady();
            ByteBuffer stream = tls.open(bytes);
            write(tls.owed());
            if (tls.isReady() && !before) {
                note(Event.Kind.SECURED, null, null);
            }
            return stream;
        }
    }

    private void note(Event.Kind kind, Stanza stanza, String text) {
        Event event = new Event(System.nanoTime(), kind, stanza, text);
        synchronized (events) {
            events.add(event);
            events.notifyAll();
        }
    }
}
