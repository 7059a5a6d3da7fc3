package org.igniterealtime.openfire.plugin.heartbeat;

import com.google.gson.JsonObject;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Objects;
import java.util.Set;
import org.igniterealtime.openfire.plugin.heartbeat.web.Json;
import org.jivesoftware.util.JiveGlobals;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Hands the policy to the core, now and whenever a property that it follows from is changed. */
final class PolicyProperty implements PropertyWatcher {
    private static final Logger Log = LoggerFactory.getLogger(PolicyProperty.class);

    static final String POLICY = "plugin.heartbeat.policy";
    private static final Set<String> ALL = new HashSet<>(Arrays.asList(POLICY, OpenfireIdle.IDLE, OpenfireIdle.PING));

    private final NativeCore core;

    /** As long as it is not known what was wanted nobody is forgotten, which could not be undone. */
    private static final String UNKNOWN = "{\"forget_after\": \"off\"}";

    /** The last text that was taken; null: all of it follows from Openfire's settings. */
    private String accepted = UNKNOWN;

    private String refused;

    private final Runnable changed;

    /** @param changed is run when another policy may be in force */
    PolicyProperty(NativeCore core, Runnable changed) {
        this.core = core;
        this.changed = changed;
    }

    @Override
    public void propertyChanged(String property) {
        if (ALL.contains(property)) {
            apply();
            Log.info("Policy in force: {}", inForce());
            changed.run();
        }
    }

    /** The policy as the core tells it; "none" once there is no core. */
    String inForce() {
        JsonObject policy = policyOf(core);
        return policy == null ? "none" : policy.toString();
    }

    /** Which time is told as last activity, as the policy in force says; null: there is no core. */
    static String lastActivity(NativeCore core) {
        JsonObject policy = policyOf(core);
        return policy == null ? null : policy.get("last_activity").getAsString();
    }

    private static JsonObject policyOf(NativeCore core) {
        String status = core.status(false);
        return status == null ? null : Json.parse(status).getAsJsonObject("policy");
    }

    /** The policy as the property has it; null: there is none. */
    static String text() {
        String text = JiveGlobals.getProperty(POLICY);
        return text == null || text.trim().isEmpty() ? null : text;
    }

    /** What a policy would mean with Openfire's settings as they are. */
    static String describe(String text) {
        return NativeCore.describe(text, OpenfireIdle.idleMs(), OpenfireIdle.pings());
    }

    synchronized void apply() {
        String text = text();
        try {
            configure(text);
            accepted = text;
            refused = null;
        } catch (NativeCore.PolicyException e) {
            if (!Objects.equals(text, refused)) {
                Log.error("Property {} is refused, the policy in force stays: {}", POLICY, e.getMessage());
                refused = text;
            }
            applyAccepted();
        }
    }

    /** What follows from Openfire's settings follows them, even while a bad policy waits to be corrected. */
    private void applyAccepted() {
        try {
            configure(accepted);
        } catch (NativeCore.PolicyException e) {
            Log.error("The policy in force does not go with {}, nothing is changed: {}", OpenfireIdle.IDLE, e.getMessage());
        }
    }

    private void configure(String text) throws NativeCore.PolicyException {
        core.configure(text, OpenfireIdle.idleMs(), OpenfireIdle.pings());
    }
}
