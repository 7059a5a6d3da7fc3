package org.igniterealtime.openfire.heartbeat.harness;

/** Something that a client did or saw, and when ({@link System#nanoTime}). */
public record Event(long at, Kind kind, Stanza stanza, String text) {
    public enum Kind {
        /** The client wrote this text. */
        SENT,
        /** TLS is on. */
        SECURED,
        /** The server opened its stream. */
        OPENED,
        /** A whole element arrived. */
        STANZA,
        /** The server closed its stream: {@code </stream:stream>}. */
        CLOSED,
        /** The connection ended in order (FIN). */
        END,
        /** The connection broke; the text says how. */
        BROKEN
    }

    public boolean isStanza(String name) {
        return kind == Kind.STANZA && stanza.name().equals(name);
    }

    public boolean isPing() {
        return kind == Kind.STANZA && stanza.isPing();
    }

    /** A ping of the plugin's; Openfire gives its own other ids. */
    public boolean isOurPing() {
        return isPing() && stanza.attribute("id").startsWith("hb-");
    }

    public boolean isPresence(String type) {
        return kind == Kind.STANZA && stanza.isPresence(type);
    }

    public boolean isStreamError(String condition) {
        return isStanza("stream:error") && stanza.has("<" + condition);
    }

    /** The connection is gone, one way or the other. */
    public boolean isOver() {
        return kind == Kind.END || kind == Kind.BROKEN;
    }

    @Override
    public String toString() {
        return switch (kind) {
            case SENT -> "sent     " + (text.isBlank() ? "a space" : text);
            case STANZA -> "received " + stanza;
            case SECURED -> "TLS is on";
            case OPENED -> "received <stream:stream>";
            case CLOSED -> "received </stream:stream>";
            case END -> "end of connection";
            case BROKEN -> "connection broken: " + text;
        };
    }
}
