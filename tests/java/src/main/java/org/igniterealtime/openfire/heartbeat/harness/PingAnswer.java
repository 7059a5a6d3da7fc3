package org.igniterealtime.openfire.heartbeat.harness;

/** What a client does when it is pinged (XEP-0199). */
public enum PingAnswer {
    NOTHING,
    RESULT,
    /** As a client does that does not know the extension (RFC 6120, section 8.4). */
    ERROR,
    /** Not even XML: one space. */
    SPACE;

    /** The text to send, or null. */
    String to(Stanza ping) {
        String head = "<iq id='" + Stanza.escape(ping.attribute("id")) + "' to='"
                + Stanza.escape(ping.attribute("from")) + "' type=";
        return switch (this) {
            case NOTHING -> null;
            case RESULT -> head + "'result'/>";
            case ERROR -> head + "'error'><ping xmlns='urn:xmpp:ping'/><error type='cancel'>"
                    + "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>";
            case SPACE -> " ";
        };
    }
}
