package org.igniterealtime.openfire.heartbeat.harness;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** One element of a stream as it arrived; just enough XML to ask what a test needs to know. */
public final class Stanza {
    private static final Pattern NAME = Pattern.compile("<([^\\s/>]+)");

    private final String xml;
    private final String name;

    Stanza(String xml) {
        this.xml = xml;
        Matcher found = NAME.matcher(xml);
        this.name = found.find() ? found.group(1) : "";
    }

    /** Its name with prefix, as {@code presence} or {@code stream:error}. */
    public String name() {
        return name;
    }

    /** An attribute of the element itself, or null. */
    public String attribute(String key) {
        String head = xml.substring(0, xml.indexOf('>'));
        Matcher found = Pattern.compile("\\s" + Pattern.quote(key) + "\\s*=\\s*(?:\"([^\"]*)\"|'([^']*)')").matcher(head);
        if (!found.find()) {
            return null;
        }
        return unescape(found.group(1) != null ? found.group(1) : found.group(2));
    }

    public boolean has(String part) {
        return xml.contains(part);
    }

    /** The text of the first child of this name, or null. */
    public String text(String child) {
        Matcher found =
                Pattern.compile("<" + child + "(?:\\s[^>]*)?>([^<]*)</" + child + ">").matcher(xml);
        return found.find() ? unescape(found.group(1)) : null;
    }

    public boolean isPing() {
        return name.equals("iq") && "get".equals(attribute("type")) && has("urn:xmpp:ping");
    }

    /** Whether stream management counts it (XEP-0198): of all elements, stanzas only. */
    boolean isCounted() {
        return name.equals("iq") || name.equals("message") || name.equals("presence");
    }

    public boolean isPresence(String type) {
        return name.equals("presence") && java.util.Objects.equals(type, attribute("type"));
    }

    static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("'", "&apos;")
                .replace("\"", "&quot;");
    }

    private static String unescape(String text) {
        return text.replace("&lt;", "<").replace("&gt;", ">").replace("&apos;", "'").replace("&quot;", "\"")
                .replace("&amp;", "&");
    }

    @Override
    public String toString() {
        return xml;
    }
}
