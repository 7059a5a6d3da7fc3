package org.igniterealtime.openfire.plugin.heartbeat;

import java.lang.reflect.Method;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has Openfire list our properties on its page of system properties. It can since 4.4, and finds their descriptions
 * (i18n) since 4.5; before, and if it does not like them, they are plain properties. They are read as plain properties
 * in any case.
 */
final class SystemProperties {
    private static final Logger Log = LoggerFactory.getLogger(SystemProperties.class);
    private static final String PLUGIN = "Heartbeat";
    private static final String CLASS = "org.jivesoftware.util.SystemProperty";

    private SystemProperties() {}

    static void register() {
        change(() -> {
            remove(); // of a plugin that was not unloaded properly
            add(HeartbeatPlugin.ENABLED, Boolean.class, Boolean.TRUE, false);
            add(PolicyProperty.POLICY, String.class, null, false);
            add(Recording.PROPERTY, Boolean.class, Boolean.FALSE, false);
            add(Journal.INTERVAL, Long.class, Journal.INTERVAL_MS, false);
            add(MachineAccess.TOKEN, String.class, null, true);
            add(MachineAccess.NETWORKS, String.class, null, false);
        });
    }

    static void unregister() {
        change(SystemProperties::remove);
    }

    private interface Change {
        void make() throws ReflectiveOperationException;
    }

    private static void change(Change change) {
        try {
            change.make();
        } catch (ClassNotFoundException e) {
            // An Openfire before 4.4: there is no list.
        } catch (ReflectiveOperationException | RuntimeException | LinkageError e) {
            Log.warn("Openfire does not list the properties of this plugin: {}", e.toString());
        }
    }

    private static void remove() throws ReflectiveOperationException {
        Class.forName(CLASS).getMethod("removePropertiesForPlugin", String.class).invoke(null, PLUGIN);
    }

    private static void add(String key, Class<?> type, Object initial, boolean secret)
            throws ReflectiveOperationException {
        Class<?> builder = Class.forName(CLASS + "$Builder");
        Object property = builder.getMethod("ofType", Class.class).invoke(null, type);
        set(property, "setKey", key);
        if (initial != null) {
            builder.getMethod("setDefaultValue", Object.class).invoke(property, initial);
        }
        builder.getMethod("setDynamic", boolean.class).invoke(property, true);
        builder.getMethod("setEncrypted", boolean.class).invoke(property, secret);
        set(property, "setPlugin", PLUGIN);
        builder.getMethod("build").invoke(property);
    }

    private static void set(Object builder, String method, String value) throws ReflectiveOperationException {
        Method setter = builder.getClass().getMethod(method, String.class);
        setter.invoke(builder, value);
    }
}
