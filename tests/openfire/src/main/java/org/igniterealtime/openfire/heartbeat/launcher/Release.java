package org.igniterealtime.openfire.heartbeat.launcher;

import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Collection;
import java.util.Optional;
import org.jivesoftware.openfire.container.Plugin;
import org.jivesoftware.openfire.container.PluginManager;
import org.jivesoftware.openfire.spi.ConnectionListener;
import org.jivesoftware.util.JiveGlobals;

/**
 * What Openfire has called otherwise since 4.2, which the launcher is compiled against. It runs in later ones as well:
 * whatever differs for it, differs here.
 */
final class Release {
    private Release() {}

    /** What accepts connections on this port, or null. From 4.8 on it is Netty's, before MINA's. */
    private static Object acceptor(ConnectionListener port) {
        return isNetty() ? call(port, "getConnectionAcceptor") : call(port, "getSocketAcceptor");
    }

    /** Whether the port is open. Netty's acceptor is there before it is. */
    static boolean isListening(ConnectionListener port) {
        Object acceptor = acceptor(port);
        if (acceptor == null || !isNetty()) {
            return acceptor != null;
        }
        Object channel = field(acceptor, "mainChannel");
        return channel != null && (Boolean) call(channel, "isActive");
    }

    /** How many connections it has open. Netty's keeps them to itself. */
    static int connections(ConnectionListener port) {
        Object acceptor = acceptor(port);
        if (!isNetty()) {
            return (Integer) call(acceptor, "getManagedSessionCount");
        }
        return ((Collection<?>) field(acceptor, "allChannels")).size();
    }

    /**
     * Has this done each time that a port is about to be opened, after what others have asked for, and while it is held by who
     * opens it; until what is returned is run. From 4.8 on; before, nothing tells, and it is never done.
     */
    static Runnable whenOpening(ConnectionListener port, Runnable what) throws ReflectiveOperationException {
        if (!isNetty()) {
            return () -> {};
        }
        Class<?> type = Class.forName(ConnectionListener.class.getName() + "$SocketAcceptorEventListener");
        Object listener = Proxy.newProxyInstance(Release.class.getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) -> {
            switch (method.getName()) {
                case "equals":
                    return proxy == arguments[0];
                case "hashCode":
                    return System.identityHashCode(proxy);
                case "acceptorStarting":
                    what.run();
                    return null;
                default:
                    return null;
            }
        });
        Method add = ConnectionListener.class.getMethod("add", type);
        Method remove = ConnectionListener.class.getMethod("remove", type);
        synchronized (port) {
            add.invoke(port, listener);
        }
        return () -> {
            synchronized (port) {
                try {
                    remove.invoke(port, listener);
                } catch (ReflectiveOperationException e) {
                    throw new IllegalStateException(e);
                }
            }
        };
    }

    /** The plugin with this name, or null. */
    static Plugin plugin(PluginManager plugins, String name) {
        if (has(PluginManager.class, "getPlugin", String.class)) {
            return (Plugin) call(plugins, "getPlugin", name);
        }
        return (Plugin) ((Optional<?>) call(plugins, "getPluginByCanonicalName", name)).orElse(null);
    }

    /** Sets a property of the configuration file. The method has got an answer since. */
    static void setInFile(String name, String value) {
        try {
            JiveGlobals.class.getMethod("setXMLProperty", String.class, String.class).invoke(null, name, value);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    private static boolean isNetty() {
        return has(ConnectionListener.class, "getConnectionAcceptor");
    }

    private static Object field(Object owner, String name) {
        try {
            Field field = owner.getClass().getDeclaredField(name);
            field.setAccessible(true);
            return field.get(owner);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    private static boolean has(Class<?> type, String method, Class<?>... parameters) {
        try {
            type.getMethod(method, parameters);
            return true;
        } catch (NoSuchMethodException e) {
            return false;
        }
    }

    /** Calls a public method whose parameters are all of the classes of these arguments. */
    private static Object call(Object target, String name, Object... arguments) {
        Class<?>[] types = new Class<?>[arguments.length];
        for (int i = 0; i < types.length; i++) {
            types[i] = arguments[i].getClass();
        }
        // What answers may be of a class that is not public.
        try {
            Method method = target.getClass().getMethod(name, types);
            method.setAccessible(true);
            return method.invoke(target, arguments);
        } catch (InvocationTargetException e) {
            throw new IllegalStateException(name + " failed", e.getCause());
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }
}
