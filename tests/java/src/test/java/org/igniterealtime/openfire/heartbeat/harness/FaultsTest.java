package org.igniterealtime.openfire.heartbeat.harness;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

/** What of a server's log is held against the plugin. */
final class FaultsTest {
    private static final String OURS =
            "\tat org.igniterealtime.openfire.plugin.heartbeat.mina.MinaConnection$EventsFilter.sessionClosed(MinaConnection.java:250)";
    private static final String CHAIN = "\tat org.jivesoftware.openfire.spi.RoutingTableImpl.routeToLocalDomain(RoutingTableImpl.java:357)\n"
            + OURS
            + "\n\tat java.base/java.lang.Thread.run(Thread.java:840)";

    @Test
    void aStackTraceWithOurCodeIsAFault() {
        String event = "13:00:13.829 ERROR [t] a.B - it failed\njava.lang.NullPointerException: null\n" + CHAIN;
        assertEquals(
                List.of(event),
                OpenfireServer.faults(
                        "13:00:13.828 INFO [t] a.B - it begins\n" + event + "\n13:00:13.830 INFO [t] a.B - it goes on"));
    }

    @Test
    void ofOnePlaceTheFirstIs() {
        String first = "13:00:13.829 ERROR [t] a.B - it failed\njava.lang.IllegalStateException: one\n" + CHAIN;
        String second = "13:00:14.829 ERROR [t] a.B - it failed\njava.lang.IllegalStateException: two\n" + CHAIN;
        assertEquals(List.of(first), OpenfireServer.faults(first + "\n" + second));
    }

    @Test
    void oneWithoutOurCodeIsNot() {
        assertEquals(
                List.of(),
                OpenfireServer.faults("13:00:13.829 ERROR [t] a.B - it failed\njava.lang.NullPointerException: null\n"
                        + CHAIN.replace(OURS + "\n", "")));
    }

    @Test
    void aRouteThatIsGoneWhenItIsUsedIsOpenfiresOwn() {
        for (String route : List.of(
                "org.jivesoftware.openfire.RoutableChannelHandler.process(org.xmpp.packet.Packet)\" because the return value of "
                        + "\"org.jivesoftware.openfire.spi.LocalRoutingTable.getRoute(org.xmpp.packet.JID)",
                "org.jivesoftware.openfire.session.LocalClientSession.process(org.xmpp.packet.Packet)\" because the return value of "
                        + "\"org.jivesoftware.openfire.spi.LocalRoutingTable.getRoute(org.xmpp.packet.JID)")) {
            assertEquals(
                    List.of(),
                    OpenfireServer.faults(
                            "13:00:13.829 ERROR [t] org.jivesoftware.openfire.spi.RoutingTableImpl - Primary packet routing failed\n"
                                    + "java.lang.NullPointerException: Cannot invoke \"" + route + "\" is null\n" + CHAIN));
        }
    }
}
