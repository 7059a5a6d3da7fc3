package org.igniterealtime.openfire.heartbeat.suite;

import static org.igniterealtime.openfire.heartbeat.suite.Times.T;
import static org.igniterealtime.openfire.heartbeat.suite.Times.TICK;
import static org.igniterealtime.openfire.heartbeat.suite.Times.sleep;

import com.google.gson.JsonObject;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import org.igniterealtime.openfire.heartbeat.harness.Event;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.PingAnswer;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;
import org.jivesoftware.whack.ExternalComponentManager;
import org.xmpp.component.AbstractComponent;

/** The row others-untouched: components and other servers stay silent, and that is Openfire's business alone. */
final class OthersUntouched {
    private static final String SECRET = "open sesame";
    private static final String COMPONENT_PORT = "xmpp.component.socket.port";
    private static final String SERVER_PORT = "xmpp.server.socket.port";
    private static final String ROUTES = "dnsutil.dnsOverride";
    private static final String ELSEWHERE = "elsewhere";

    /** Known before either server starts: some versions read the way to other servers only then. */
    private static final int ELSEWHERE_PORT = OpenfireServer.freePort();

    private OthersUntouched() {}

    static OpenfireServer.Setup configure(OpenfireServer.Setup setup) {
        return others(setup).port(SERVER_PORT).set(ROUTES, route(ELSEWHERE + ".test", ELSEWHERE_PORT));
    }

    private static OpenfireServer.Setup others(OpenfireServer.Setup setup) {
        return setup.set("xmpp.component.socket.active", "true")
                .port(COMPONENT_PORT)
                .set("xmpp.component.defaultSecret", SECRET)
                .set("xmpp.component.tls.policy", "disabled")
                .set("xmpp.component.idle", Times.T_MILLIS)
                .set("xmpp.server.socket.active", "true")
                .set("xmpp.server.tls.enabled", "false")
                .set("xmpp.server.tls.policy", "disabled")
                .set("xmpp.server.idle", Times.T_MILLIS);
    }

    static void play(Stage stage) throws Exception {
        stage.people("client");
        RawClient client = stage.login("client").answerPings(PingAnswer.RESULT);
        RawClient contact = stage.contact();
        OpenfireServer server = stage.server();
        try (OpenfireServer elsewhere = elsewhere(server)) {
            elsewhere.users(List.of("stranger"));
            stage.begin();
            JsonObject before = server.status(false).getAsJsonObject("counts");
            int watchedBefore = server.status(false).getAsJsonObject("sessions").get("total").getAsInt();

            // An external component by Whack, which works; and one on a bare socket, which stays silent.
            ExternalComponentManager whack = new ExternalComponentManager("127.0.0.1", server.port(COMPONENT_PORT), false);
            whack.setSecretKey("echo", SECRET);
            whack.addComponent("echo", new Echo());
            RawClient component = stage.add(component(server));

            // Another server, in both directions.
            RawClient stranger = RawClient.login(elsewhere.door(), "stranger", "x").available();
            stranger.answerPings(PingAnswer.RESULT);
            stage.add(stranger);
            client.send("<message to='" + stranger.jid() + "'><body>hello</body></message>");
            stranger.await("a message from the other server", event -> event.isStanza("message"));
            stranger.send("<message to='" + client.jid() + "'><body>hello yourself</body></message>");
            client.await("its answer", event -> event.isStanza("message"));
            client.send("<iq type='get' id='e' to='echo." + server.domain() + "'><ping xmlns='urn:xmpp:ping'/></iq>");
            client.await("the component's answer", event -> event.isStanza("iq")
                    && "e".equals(event.stanza().attribute("id"))
                    && "result".equals(event.stanza().attribute("type")));

            component.await(Duration.ofSeconds((long) (T + 8)), "Openfire to close the silent component", Event::isOver);
            sleep(2 * TICK);
            Fate fate = Fate.of(component);
            JsonObject after = server.status(false).getAsJsonObject("counts");
            int watched = server.status(false).getAsJsonObject("sessions").get("total").getAsInt();
            whack.removeComponent("echo");

            stage.saw(String.format(
                    Locale.ROOT, "a silent component: %d pings, closed by Openfire after %.1f s; watched: %d, then %d",
                    fate.pings().size(), fate.end(), watchedBefore, watched));
            stage.must(fate.pings().isEmpty(), "the component is not pinged", component);
            stage.must(
                    fate.hasStreamError() == server.version().saysWhyIdleEnds(),
                    "it is closed in the way of Openfire's own",
                    component);
            stage.must(fate.end() >= T && fate.end() <= T + 3 * TICK, "Openfire closes it at its own time", component);
            stage.must(watched == watchedBefore, "only clients are watched");
            stage.must(
                    after.get("opened").equals(before.get("opened")), "no event of others reaches the core: " + after);
            stage.must(!client.isOver() && !contact.isOver(), "clients stay", client);
        }
    }

    /** A second server that knows the way to the first, without the plugin. */
    private static OpenfireServer elsewhere(OpenfireServer server) {
        return others(OpenfireServer.named(ELSEWHERE))
                .port(SERVER_PORT, ELSEWHERE_PORT)
                .set(ROUTES, route(server.domain(), server.port(SERVER_PORT)))
                .start();
    }

    private static String route(String domain, int port) {
        return "{" + domain + ",127.0.0.1:" + port + "}";
    }

    /** Logs in as an external component (XEP-0114), then says nothing any more. */
    private static RawClient component(OpenfireServer server) throws Exception {
        String domain = "mute." + server.domain();
        RawClient component =
                RawClient.connect(new OpenfireServer.Door(domain, server.port(COMPONENT_PORT)), "silent component");
        component.send("<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='"
                + domain + "'>");
        String id = component.await("the stream", event -> event.kind() == Event.Kind.OPENED).stanza().attribute("id");
        byte[] digest = MessageDigest.getInstance("SHA-1").digest((id + SECRET).getBytes(StandardCharsets.UTF_8));
        component.send("<handshake>" + HexFormat.of().formatHex(digest) + "</handshake>");
        component.await("the handshake", event -> event.isStanza("handshake"));
        return component;
    }

    /** Answers pings, as any component by Whack does by itself. */
    private static final class Echo extends AbstractComponent {
        @Override
        public String getName() {
            return "echo";
        }

        @Override
        public String getDescription() {
            return "a component that lives";
        }
    }
}
