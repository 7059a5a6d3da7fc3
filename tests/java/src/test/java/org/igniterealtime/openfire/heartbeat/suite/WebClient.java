package org.igniterealtime.openfire.heartbeat.suite;

import java.io.IOException;
import java.io.StringReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.WebSocket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;
import org.xml.sax.SAXException;

/** A client over WebSocket (RFC 7395) or BOSH (XEP-0124, XEP-0206) that says what a test has it say, and no more. */
abstract class WebClient implements AutoCloseable {
    static final String PORT = "httpbind.port.plain";

    private static final long PATIENCE_S = 20;
    private static final String SASL = "urn:ietf:params:xml:ns:xmpp-sasl";
    private static final String BIND = "urn:ietf:params:xml:ns:xmpp-bind";
    private static final String STREAMS = "http://etherx.jabber.org/streams";
    private static final Pattern ID = Pattern.compile("\\sid=[\"']([^\"']*)[\"']");

    final OpenfireServer server;
    final String jid;
    private final String user;
    private final List<Seen> seen = new ArrayList<>();
    private volatile boolean answers;
    private volatile long lastSent;
    private volatile long over;

    /** Something that arrived, and when ({@link System#nanoTime}). */
    record Seen(long at, String xml) {
        boolean isPing() {
            return xml.contains("urn:xmpp:ping") && xml.startsWith("<iq");
        }

        boolean isOurPing() {
            return isPing() && idOf(xml).startsWith("hb-");
        }
    }

    WebClient(OpenfireServer server, String user) {
        this.server = server;
        this.user = user;
        jid = user + "@" + server.domain() + "/web";
    }

    static WebClient overWebSocket(OpenfireServer server, String user) throws Exception {
        return new OverWebSocket(server, user);
    }

    static WebClient overBosh(OpenfireServer server, String user, int waitS) throws Exception {
        return new OverBosh(server, user, waitS);
    }

    /** Opens the stream, or opens it anew after the login. */
    abstract void open() throws Exception;

    abstract void write(String xml) throws Exception;

    /** Ends the stream in order; what is given is the last that it says. */
    abstract void end(String last) throws Exception;

    /** Cuts the connection without a word. */
    abstract void cut();

    WebClient login() throws Exception {
        open();
        await(xml -> xml.contains("mechanisms"));
        String plain = "\0" + user + "\0" + user;
        send("<auth xmlns='" + SASL + "' mechanism='PLAIN'>"
                + Base64.getEncoder().encodeToString(plain.getBytes(StandardCharsets.UTF_8)) + "</auth>");
        await(xml -> xml.contains("<success"));
        open();
        await(xml -> xml.contains(BIND));
        send("<iq xmlns='jabber:client' type='set' id='b1'><bind xmlns='" + BIND + "'><resource>web</resource></bind></iq>");
        await(xml -> xml.startsWith("<iq") && idOf(xml).equals("b1"));
        send("<iq xmlns='jabber:client' type='set' id='s1'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>");
        await(xml -> xml.startsWith("<iq") && idOf(xml).equals("s1"));
        return this;
    }

    /** Asks for stream management whose session may be resumed. */
    WebClient resumable() throws Exception {
        send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
        await(xml -> xml.startsWith("<enabled"));
        return this;
    }

    WebClient available() throws Exception {
        send("<presence xmlns='jabber:client'/>");
        return this;
    }

    WebClient answerPings() {
        answers = true;
        return this;
    }

    void send(String xml) throws Exception {
        sends();
        write(xml);
    }

    final void sends() {
        lastSent = System.nanoTime();
    }

    /** Called by the road, for each element that arrives. */
    final void arrived(String xml) {
        synchronized (seen) {
            seen.add(new Seen(System.nanoTime(), xml));
            seen.notifyAll();
        }
        if (answers && new Seen(0, xml).isPing()) {
            try {
                send("<iq xmlns='jabber:client' type='result' id='" + idOf(xml) + "' to='" + server.domain() + "'/>");
            } catch (Exception e) {
                ended();
            }
        }
    }

    final void ended() {
        synchronized (seen) {
            if (over == 0) {
                over = System.nanoTime();
            }
            seen.notifyAll();
        }
    }

    List<Seen> pings() {
        synchronized (seen) {
            return seen.stream().filter(Seen::isPing).toList();
        }
    }

    /** The conditions of the stream errors (RFC 6120, section 4.9) that arrived. Each must declare what it is made of. */
    List<String> streamErrors() {
        List<String> conditions = new ArrayList<>();
        synchronized (seen) {
            for (Seen each : seen) {
                if (each.xml().contains(":error") || each.xml().startsWith("<error")) {
                    NodeList errors = elements(each.xml()).getElementsByTagNameNS(STREAMS, "error");
                    for (int i = 0; i < errors.getLength(); i++) {
                        conditions.add(errors.item(i).getFirstChild().getLocalName());
                    }
                }
            }
        }
        return conditions;
    }

    /** What arrived at once, below an element that declares nothing. */
    private static Element elements(String xml) {
        try {
            DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
            factory.setNamespaceAware(true);
            return factory.newDocumentBuilder()
                    .parse(new InputSource(new StringReader("<all>" + xml + "</all>")))
                    .getDocumentElement();
        } catch (ParserConfigurationException | SAXException | IOException e) {
            throw new IllegalStateException("no XML: " + xml, e);
        }
    }

    /** What arrived last. */
    String last() {
        synchronized (seen) {
            return seen.isEmpty() ? "" : seen.get(seen.size() - 1).xml();
        }
    }

    boolean isOver() {
        return over != 0;
    }

    /** When it was over, or 0. */
    long over() {
        return over;
    }

    long lastSent() {
        return lastSent;
    }

    private void await(Predicate<String> what) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_S);
        synchronized (seen) {
            int from = 0;
            while (true) {
                for (; from < seen.size(); from++) {
                    if (what.test(seen.get(from).xml())) {
                        seen.subList(0, from + 1).clear();
                        return;
                    }
                }
                long left = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
                if (left <= 0 || isOver()) {
                    throw new IllegalStateException(jid + " did not log in; seen: " + seen);
                }
                seen.wait(left);
            }
        }
    }

    private static String idOf(String xml) {
        Matcher found = ID.matcher(xml.substring(0, xml.indexOf('>') + 1));
        return found.find() ? found.group(1) : "";
    }

    @Override
    public void close() {
        cut();
    }

    private static final class OverWebSocket extends WebClient implements WebSocket.Listener {
        private final StringBuilder frame = new StringBuilder();
        private final WebSocket socket;

        OverWebSocket(OpenfireServer server, String user) {
            super(server, user);
            socket = HttpClient.newHttpClient()
                    .newWebSocketBuilder()
                    .subprotocols("xmpp")
                    .buildAsync(URI.create("ws://127.0.0.1:" + server.port(PORT) + "/ws/"), this)
                    .join();
        }

        @Override
        void open() throws Exception {
            send("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='" + server.domain() + "' version='1.0'/>");
        }

        @Override
        synchronized void write(String xml) {
            // Two at once are refused.
            socket.sendText(xml, true).join();
        }

        @Override
        void end(String last) throws Exception {
            send(last);
            send("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>");
        }

        @Override
        void cut() {
            socket.abort();
        }

        @Override
        public CompletionStage<?> onText(WebSocket from, CharSequence data, boolean last) {
            frame.append(data);
            if (last) {
                String whole = frame.toString();
                frame.setLength(0);
                // Not on the thread that reads: an answer waits for its sending.
                CompletableFuture.runAsync(() -> arrived(whole)).join();
            }
            from.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onClose(WebSocket from, int code, String reason) {
            ended();
            return null;
        }

        @Override
        public void onError(WebSocket from, Throwable error) {
            ended();
        }
    }

    /** Keeps one request open, as a browser does, until it is cut. */
    private static final class OverBosh extends WebClient {
        private static final Pattern SID = Pattern.compile("\\ssid=[\"']([^\"']*)[\"']");

        private final HttpClient http =
                HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        private final URI address;
        private final int waitS;
        private long rid = 1_000_000;
        private String sid;
        private volatile boolean silent;

        OverBosh(OpenfireServer server, String user, int waitS) {
            super(server, user);
            this.waitS = waitS;
            address = URI.create("http://127.0.0.1:" + server.port(PORT) + "/http-bind/");
        }

        @Override
        void open() throws Exception {
            String common = " to='" + server.domain() + "' xml:lang='en' xmlns:xmpp='urn:xmpp:xbosh'";
            if (sid == null) {
                String answer = post(common + " wait='" + waitS + "' hold='1' ver='1.6' xmpp:version='1.0'", "");
                Matcher found = SID.matcher(answer);
                if (!found.find()) {
                    throw new IOException("no session: " + answer);
                }
                sid = found.group(1);
                taken(answer);
            } else {
                taken(post(common + " xmpp:restart='true'", ""));
            }
        }

        @Override
        void write(String xml) throws Exception {
            taken(post("", xml));
        }

        /** Polls from now on, until {@link #cut}. */
        void poll() {
            Thread poller = new Thread(() -> {
                while (!silent && !isOver()) {
                    try {
                        taken(post("", ""));
                    } catch (IOException | InterruptedException e) {
                        ended();
                    }
                }
            });
            poller.setDaemon(true);
            poller.start();
        }

        @Override
        WebClient available() throws Exception {
            super.available();
            poll();
            return this;
        }

        @Override
        void end(String last) throws Exception {
            silent = true;
            taken(post(" type='terminate'", last));
        }

        @Override
        void cut() {
            silent = true;
        }

        private String post(String attributes, String content) throws IOException, InterruptedException {
            sends();
            String body;
            synchronized (this) {
                body = "<body xmlns='http://jabber.org/protocol/httpbind' rid='" + ++rid + "'"
                        + (sid == null ? "" : " sid='" + sid + "'") + attributes + ">" + content + "</body>";
            }
            HttpRequest request = HttpRequest.newBuilder(address)
                    .timeout(Duration.ofSeconds(waitS + PATIENCE_S))
                    .header("Content-Type", "text/xml; charset=utf-8")
                    .POST(HttpRequest.BodyPublishers.ofString(body))
                    .build();
            HttpResponse<String> response = http.send(request, HttpResponse.BodyHandlers.ofString());
            if (response.statusCode() != 200) {
                throw new IOException("status " + response.statusCode());
            }
            return response.body();
        }

        /** What was in a body, as one: who asks looks for a part of it. */
        private void taken(String body) {
            if (body.contains("type='terminate'") || body.contains("type=\"terminate\"")) {
                ended();
            }
            int begin = body.indexOf('>') + 1;
            int end = body.lastIndexOf("</body>");
            if (end > begin) {
                arrived(body.substring(begin, end));
            }
        }
    }
}
