package org.igniterealtime.openfire.plugin.heartbeat.web;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.igniterealtime.openfire.plugin.heartbeat.OpenfireIdle;

/** What a policy means for a client that falls silent, in words. */
final class Meaning {
    private Meaning() {}

    /** @param described a policy that was not refused, as the core describes it */
    static List<String> of(JsonObject described, Texts texts) {
        Map<String, JsonObject> keys = new HashMap<>();
        for (JsonElement key : described.getAsJsonArray("keys")) {
            keys.put(key.getAsJsonObject().get("key").getAsString(), key.getAsJsonObject());
        }
        long idle = seconds(keys, "idle");
        long ack = seconds(keys, "ack_timeout");
        long retries = keys.get("retries").get("value").getAsLong();
        long login = seconds(keys, "login_within");
        long dead = idle + (retries + 1) * ack;
        String end = keys.get("on_dead").get("value").getAsString();
        List<String> sentences = new ArrayList<>();
        if (idle == 0) {
            sentences.add(texts.of("means-never"));
        } else {
            if (!keys.get("ping").get("value").getAsBoolean()) {
                sentences.add(texts.of("means-no-ping", texts.span(dead)));
            } else if (retries == 0) {
                sentences.add(texts.of("means-ping", texts.span(idle), texts.span(dead)));
            } else {
                sentences.add(texts.of(
                        "means-pings", texts.span(idle), retries, texts.span(ack), texts.span(dead)));
            }
            sentences.add(texts.of("cut".equals(end) ? "means-contacts-cut" : "means-contacts", texts.span(dead)));
            if ("auto".equals(end)) {
                sentences.add(texts.of("means-resumable"));
            }
        }
        sentences.add(login == 0 ? texts.of("means-login-never") : texts.of("means-login", texts.span(login)));
        return sentences;
    }

    private static long seconds(Map<String, JsonObject> keys, String key) {
        return keys.get(key).get("seconds").getAsLong();
    }

    /** What Openfire's own idle policy is set to. */
    static String ofOpenfire(Texts texts) {
        long idleMs = OpenfireIdle.idleMs();
        if (idleMs <= 0) {
            return texts.of("openfire-idle-never");
        }
        String span = texts.span(TimeUnit.MILLISECONDS.toSeconds(idleMs));
        return texts.of(OpenfireIdle.pings() ? "openfire-idle-ping" : "openfire-idle-no-ping", span);
    }
}
