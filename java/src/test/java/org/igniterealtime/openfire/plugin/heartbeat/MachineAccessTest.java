package org.igniterealtime.openfire.plugin.heartbeat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Proxy;
import java.util.List;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpSession;
import org.jivesoftware.openfire.auth.AuthToken;
import org.junit.jupiter.api.Test;

final class MachineAccessTest {
    @Test
    void onlyTheTokenOpens() {
        assertTrue(MachineAccess.hasToken("Bearer s3cret", "s3cret"));
        assertTrue(MachineAccess.hasToken("bearer  s3cret ", "s3cret"));
        for (String wrong : new String[] {null, "", "Bearer", "Bearer ", "Bearer s3cre", "Bearer s3cret2", "Basic s3cret", "s3cret"}) {
            assertFalse(MachineAccess.hasToken(wrong, "s3cret"), wrong);
        }
        // Not set, nothing opens.
        assertFalse(MachineAccess.hasToken("Bearer ", ""));
        assertFalse(MachineAccess.hasToken("Bearer x", ""));
    }

    @Test
    void onlyItsNetworksAreAllowed() {
        assertTrue(MachineAccess.isWithin("10.1.2.3", "10.0.0.0/8"));
        assertTrue(MachineAccess.isWithin("10.1.2.3", "192.168.0.0/16, 10.0.0.0/8"));
        assertTrue(MachineAccess.isWithin("10.1.2.3", "10.1.2.3"));
        assertTrue(MachineAccess.isWithin("10.1.2.3", "10.1.2.2/31"));
        assertTrue(MachineAccess.isWithin("::ffff:10.1.2.3", "10.1.2.0/24"));
        assertTrue(MachineAccess.isWithin("fd00::1", "fd00::/8"));
        assertTrue(MachineAccess.isWithin("fe80::1%eth0", "fe80::/10"));
        assertTrue(MachineAccess.isWithin("1.2.3.4", "0.0.0.0/0"));
        for (String network : new String[] {"", " ", ",", "10.0.0.0/16", "10.1.2.4", "10.1.2.4/31", "fd00::/8", "::/0"}) {
            assertFalse(MachineAccess.isWithin("10.1.2.3", network), network);
        }
    }

    @Test
    void whatIsNoNetworkLetsNobodyIn() {
        for (String network :
                new String[] {"localhost", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0/8", "*", "10.0.0.0/8x", "::1/129", "300.1.1.1/0"}) {
            assertFalse(MachineAccess.isWithin("10.0.0.1", network), network);
            // And keeps nobody out whom another part lets in.
            assertTrue(MachineAccess.isWithin("10.0.0.1", network + ",10.0.0.0/8"), network);
        }
        assertFalse(MachineAccess.isWithin("example.org", "0.0.0.0/0"));
        assertFalse(MachineAccess.isWithin("", "0.0.0.0/0"));
    }

    /** Each is told once, when it is set; a comma too many is no fault. */
    @Test
    void whatIsNoNetworkIsTold() {
        for (String networks : new String[] {"", " ", ",", " , ", "10.0.0.0/8,", ",10.0.0.0/8", "10.0.0.0/8,,fd00::/8", "10.1.2.3, ::1"}) {
            assertEquals(List.of(), MachineAccess.faultsOf(networks), networks);
        }
        assertTrue(MachineAccess.isWithin("10.1.2.3", ",10.0.0.0/8,"));
        List<String> faults = MachineAccess.faultsOf("localhost, 10.0.0.0/8, 10.0.0.0/33,");
        assertEquals(2, faults.size(), faults.toString());
        assertTrue(faults.get(0).startsWith("'localhost' is no network"), faults.get(0));
        assertTrue(faults.get(1).startsWith("'10.0.0.0/33' has no length from 0 to 32"), faults.get(1));
    }

    /** Openfire 4.3.1 and later: who was locked out logs in by a token that serves once, and is no administrator by name. */
    @Test
    void whoLoggedInByATokenThatServesOnceIsAllowed() {
        assertTrue(MachineAccess.allows(loggedIn(new AuthToken.OneTimeAuthToken("once"))));
    }

    /** A request of somebody who is logged in to the console, from nowhere. */
    private static HttpServletRequest loggedIn(Object token) {
        HttpSession session = (HttpSession) Proxy.newProxyInstance(
                MachineAccessTest.class.getClassLoader(),
                new Class<?>[] {HttpSession.class},
                (proxy, method, args) ->
                        method.getName().equals("getAttribute") && args[0].equals("jive.admin.authToken") ? token : null);
        return (HttpServletRequest) Proxy.newProxyInstance(
                MachineAccessTest.class.getClassLoader(),
                new Class<?>[] {HttpServletRequest.class},
                (proxy, method, args) -> method.getName().equals("getSession") ? session : null);
    }

    @Test
    void statisticsReadTheStatus() {
        assertEquals(12, Statistics.number("{\"sessions\":{\"alive\":12,\"pinged\":3}}", "alive"));
        assertEquals(0, Statistics.number("{}", "alive"));
        assertEquals(0, Statistics.number(null, "alive"));
    }
}
