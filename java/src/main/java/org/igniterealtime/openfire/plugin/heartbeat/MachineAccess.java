package org.igniterealtime.openfire.plugin.heartbeat;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import javax.servlet.http.HttpServletRequest;
import org.igniterealtime.openfire.plugin.heartbeat.web.Administrator;
import org.jivesoftware.admin.AuthCheckFilter;
import org.jivesoftware.util.JiveGlobals;
import org.jivesoftware.util.PropertyEventDispatcher;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who may read what is for machines: who is logged in to the console; who has the token; who comes from an allowed network.
 * Without token and network Openfire's own filter lets nobody else through; with one of them it steps aside, and this
 * decides alone.
 */
final class MachineAccess implements PropertyWatcher {
    private static final Logger Log = LoggerFactory.getLogger(MachineAccess.class);

    /** A bearer token (RFC 6750). */
    static final String TOKEN = "plugin.heartbeat.metrics.token";

    /** Networks as 10.0.0.0/8 or fd00::/8, with commas between them. */
    static final String NETWORKS = "plugin.heartbeat.metrics.networks";

    private static final String BEARER = "Bearer ";

    /** An address that is in no network. */
    private static final byte[] NOWHERE = {};

    /** What Openfire's filter is told to let through. */
    private static final String[] PATHS = {"heartbeat/metrics", "heartbeat/status"};

    private boolean excluded;

    void register() {
        PropertyEventDispatcher.addListener(this);
        look();
        logFaults();
    }

    void unregister() {
        PropertyEventDispatcher.removeListener(this);
        exclude(false);
    }

    private void look() {
        exclude(!property(TOKEN).isEmpty() || !property(NETWORKS).isEmpty());
    }

    private synchronized void exclude(boolean wanted) {
        for (String path : wanted != excluded ? PATHS : new String[0]) {
            if (wanted) {
                AuthCheckFilter.addExclude(path);
            } else {
                AuthCheckFilter.removeExclude(path);
            }
        }
        excluded = wanted;
    }

    /** When they are set, and not at each request that they refuse. */
    private static void logFaults() {
        faultsOf(property(NETWORKS)).forEach(fault -> Log.warn("Property {}: {}", NETWORKS, fault));
    }

    private static String property(String name) {
        return JiveGlobals.getProperty(name, "").trim();
    }

    /** Whether an answer is for this one. */
    static boolean allows(HttpServletRequest request) {
        return Administrator.of(request) != null
                || hasToken(request.getHeader("Authorization"), property(TOKEN))
                || isWithin(request.getRemoteAddr(), property(NETWORKS));
    }

    /** Takes as long for each token of one length. */
    static boolean hasToken(String header, String token) {
        if (token.isEmpty() || header == null || !header.regionMatches(true, 0, BEARER, 0, BEARER.length())) {
            return false;
        }
        byte[] given = header.substring(BEARER.length()).trim().getBytes(StandardCharsets.UTF_8);
        return MessageDigest.isEqual(given, token.getBytes(StandardCharsets.UTF_8));
    }

    /** @param networks a part that is none lets nobody in */
    static boolean isWithin(String address, String networks) {
        byte[] from = bytesOf(address);
        return from != null && partsOf(networks).anyMatch(network -> {
            try {
                return contains(network, from);
            } catch (IllegalArgumentException e) {
                return false;
            }
        });
    }

    /** What is wrong with these networks, part by part. */
    static List<String> faultsOf(String networks) {
        List<String> faults = new ArrayList<>();
        partsOf(networks).forEach(network -> {
            try {
                contains(network, NOWHERE);
            } catch (IllegalArgumentException e) {
                faults.add(e.getMessage());
            }
        });
        return faults;
    }

    private static Stream<String> partsOf(String networks) {
        return Stream.of(networks.split(",")).map(String::trim).filter(network -> !network.isEmpty());
    }

    private static boolean contains(String network, byte[] address) {
        int slash = network.indexOf('/');
        byte[] first = bytesOf(slash < 0 ? network : network.substring(0, slash));
        if (first == null) {
            throw new IllegalArgumentException("'" + network + "' is no network, as 10.0.0.0/8 or fd00::/8 are");
        }
        int bits = slash < 0 ? 8 * first.length : bitsOf(network, slash, 8 * first.length);
        if (first.length != address.length) {
            return false;
        }
        for (int i = 0; i < bits; i++) {
            if (((first[i / 8] ^ address[i / 8]) >> (7 - i % 8) & 1) != 0) {
                return false;
            }
        }
        return true;
    }

    private static int bitsOf(String network, int slash, int most) {
        String text = network.substring(slash + 1);
        int bits = text.matches("[0-9]{1,3}") ? Integer.parseInt(text) : -1;
        if (bits < 0 || bits > most) {
            throw new IllegalArgumentException("'" + network + "' has no length from 0 to " + most + " behind its slash");
        }
        return bits;
    }

    /** Of an address in digits; null: it is none. No name is looked up. An IPv4 address mapped to IPv6 is that one. */
    private static byte[] bytesOf(String address) {
        int zone = address.indexOf('%');
        String digits = zone < 0 ? address : address.substring(0, zone);
        boolean looksRight = digits.contains(":")
                ? digits.matches("[0-9a-fA-F:.]+")
                : digits.matches("[0-9]{1,3}(\\.[0-9]{1,3}){3}");
        try {
            return looksRight ? InetAddress.getByName(digits).getAddress() : null;
        } catch (UnknownHostException e) {
            return null;
        }
    }

    @Override
    public void propertyChanged(String property) {
        if (TOKEN.equals(property) || NETWORKS.equals(property)) {
            look();
        }
        if (NETWORKS.equals(property)) {
            logFaults();
        }
    }
}
