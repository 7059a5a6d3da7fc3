package org.igniterealtime.openfire.plugin.heartbeat.web;

import java.io.UnsupportedEncodingException;
import java.net.URLEncoder;

/** A page with parameters. */
final class Address {
    private final StringBuilder text;
    private char between = '?';

    Address(String page) {
        text = new StringBuilder(page);
    }

    Address with(String name, String value) {
        try {
            text.append(between).append(name).append('=').append(URLEncoder.encode(value, "UTF-8"));
        } catch (UnsupportedEncodingException e) {
            throw new AssertionError("every Java platform has UTF-8", e);
        }
        between = '&';
        return this;
    }

    @Override
    public String toString() {
        return text.toString();
    }
}
