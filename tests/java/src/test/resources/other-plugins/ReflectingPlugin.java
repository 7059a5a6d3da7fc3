package other;

import java.io.File;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jivesoftware.openfire.container.Plugin;
import org.jivesoftware.openfire.container.PluginManager;

/**
 * Asks Heartbeat by reflection, as docs/other-plugins.md has it, and removes no listener when it goes. It takes its time with
 * who is slow.
 */
public final class ReflectingPlugin implements Plugin {
    private static final String LISTENER = "org.igniterealtime.openfire.plugin.heartbeat.LastActivityListener";

    @Override
    public void initializePlugin(PluginManager manager, File folder) {
        try {
            Plugin heartbeat = heartbeat(manager);
            Object service = heartbeat.getClass().getMethod("lastActivityService").invoke(heartbeat);
            ClassLoader theirs = heartbeat.getClass().getClassLoader();
            boolean own = theirs != getClass().getClassLoader();
            Class<?> listening = Class.forName(LISTENER, true, theirs);
            Object listener = Proxy.newProxyInstance(theirs, new Class<?>[] {listening}, (proxy, method, args) -> {
                if (method.getName().equals("ended")) {
                    for (Object user : (List<?>) args[0]) {
                        String name = (String) user.getClass().getMethod("user").invoke(user);
                        note("ended " + name + " "
                                + user.getClass().getMethod("reason").invoke(user) + " " + Thread.currentThread().getName()
                                + " own-loader " + own + " same-time "
                                + lastReadMs(service, name).equals(user.getClass().getMethod("lastReadMs").invoke(user))
                                + " nobody " + lastReadMs(service, "nobody"));
                        if (user.getClass().getMethod("user").invoke(user).toString().endsWith("-slow")) {
                            dawdle();
                        }
                    }
                }
                return null;
            });
            service.getClass().getMethod("addListener", listening, Plugin.class).invoke(service, listener, this);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Whoever interrupts it. */
    private static void dawdle() {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(6);
        while (System.nanoTime() - end < 0) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(10));
            Thread.interrupted();
        }
    }

    private static Object lastReadMs(Object service, String user) throws ReflectiveOperationException {
        return service.getClass().getMethod("lastReadMs", String.class).invoke(service, user);
    }

    /** From 4.8 on it is called otherwise. */
    private static Plugin heartbeat(PluginManager manager) throws ReflectiveOperationException {
        try {
            return (Plugin) PluginManager.class.getMethod("getPlugin", String.class).invoke(manager, "heartbeat");
        } catch (NoSuchMethodException e) {
            return (Plugin) ((Optional<?>)
                            PluginManager.class.getMethod("getPluginByName", String.class).invoke(manager, "Heartbeat"))
                    .orElse(null);
        }
    }

    @Override
    public void destroyPlugin() {
        note("destroyed");
    }

    private static void note(String line) {
        Path file = Paths.get(System.getProperty("openfireHome"), "logs", "told-reflecting.txt");
        try {
            Files.write(file, (line + "\n").getBytes(StandardCharsets.UTF_8), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
