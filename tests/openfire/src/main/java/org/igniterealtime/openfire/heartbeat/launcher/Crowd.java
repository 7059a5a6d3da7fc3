package org.igniterealtime.openfire.heartbeat.launcher;

import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import org.jivesoftware.openfire.container.Plugin;

/**
 * Sessions in the plugin's core that have no connection: more of them than there can be clients on the machine of the tests.
 * They come by the methods that the adapters call.
 */
final class Crowd {
    private static final int SILENT_FOR = 100;

    private Crowd() {}

    static void come(Plugin plugin, int count) throws ReflectiveOperationException {
        Object heartbeat = field(plugin, "running");
        Object core = field(heartbeat, "core");
        Object clock = field(heartbeat, "clock");
        Method open = method(core, "open", int.class, int.class, long.class, long.class);
        Method bound = method(core, "bound", long.class, String.class, boolean.class);
        Method available = method(core, "available", long.class);
        long now = (Long) method(clock, "nowUs").invoke(clock);
        for (int i = 0; i < count; i++) {
            long read = Math.max(0, now - TimeUnit.SECONDS.toMicros(i % SILENT_FOR));
            long token = (Long) open.invoke(core, 0, 0, read, read);
            String jid = String.format(Locale.ROOT, "user%06d@chat.example.org/phone-%d", i, i % 7);
            if (token < 0 || (Integer) bound.invoke(core, token, jid, false) < 0) {
                throw new IllegalStateException("the core does not take " + jid);
            }
            if (i % 2 == 0) {
                available.invoke(core, token);
            }
        }
    }

    private static Object field(Object of, String name) throws ReflectiveOperationException {
        Field field = of.getClass().getDeclaredField(name);
        field.setAccessible(true);
        return field.get(of);
    }

    private static Method method(Object of, String name, Class<?>... types) throws ReflectiveOperationException {
        Method method = of.getClass().getDeclaredMethod(name, types);
        method.setAccessible(true);
        return method;
    }
}
