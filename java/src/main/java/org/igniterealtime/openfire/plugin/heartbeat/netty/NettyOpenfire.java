package org.igniterealtime.openfire.plugin.heartbeat.netty;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelPipeline;
import io.netty.util.AttributeKey;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Collections;
import java.util.HashSet;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jivesoftware.openfire.Connection;
import org.jivesoftware.openfire.ConnectionManager;
import org.jivesoftware.openfire.XMPPServer;
import org.jivesoftware.openfire.session.LocalSession;
import org.jivesoftware.openfire.spi.ConnectionListener;
import org.jivesoftware.openfire.spi.ConnectionManagerImpl;
import org.jivesoftware.openfire.spi.ConnectionType;
import org.xmpp.packet.StreamError;

/**
 * What Openfire has had since it moved to Netty in 4.8, and the one that we are compiled against has not: found by
 * name, all at once, before anything is changed. None of it is on the way of a read.
 */
final class NettyOpenfire {
    /** Openfire's name of the handler that pings and closes a silent client. It is an inner matter of its pipeline. */
    static final String KEEP_ALIVE = "keepAliveHandler";

    /** Openfire's name of Netty's own handler that finds a client silent. */
    static final String IDLE_STATE = "idleStateHandler";

    /** The handler that stanzas are brought to. Up to 5.0 it has no name. */
    final Class<? extends ChannelHandler> businessLogic;

    final LastRead lastRead = new LastRead();

    private final Class<?> acceptorClass;
    private final Class<?> factoryClass;
    private final Method addFactory;
    private final Method removeFactory;
    private final AttributeKey<?> connection;
    private final AttributeKey<?> written;
    private final AttributeKey<?> idle;

    /** Null: this Openfire does not say whose a connection is. */
    private final Method owner;

    private NettyOpenfire() throws ReflectiveOperationException {
        acceptorClass = Class.forName("org.jivesoftware.openfire.spi.NettyConnectionAcceptor");
        factoryClass = Class.forName("org.jivesoftware.openfire.nio.NettyChannelHandlerFactory");
        addFactory = acceptorClass.getMethod("addChannelHandler", factoryClass);
        removeFactory = acceptorClass.getMethod("removeChannelHandler", factoryClass);
        factoryClass.getMethod("removeHandlerFrom", ChannelPipeline.class);
        businessLogic = Class.forName("org.jivesoftware.openfire.nio.NettyConnectionHandler")
                .asSubclass(ChannelHandler.class);
        connection = attribute("CONNECTION");
        written = attribute("WRITTEN_BYTES");
        idle = attribute("IDLE_FLAG");
        owner = findOwner();
    }

    private static Method findOwner() {
        try {
            return Class.forName("org.jivesoftware.openfire.nio.NettyConnection").getMethod("getSession");
        } catch (ReflectiveOperationException e) {
            return null;
        }
    }

    /** @throws ReflectiveOperationException its message names what this server does not have */
    static NettyOpenfire find() throws ReflectiveOperationException {
        return new NettyOpenfire();
    }

    private AttributeKey<?> attribute(String field) throws ReflectiveOperationException {
        return (AttributeKey<?>) businessLogic.getField(field).get(null);
    }

    /**
     * Tells the acceptors that clients connect to.
     *
     * @throws ReflectiveOperationException its message names what this server does not have
     */
    static Acceptors acceptorsOfClients() throws ReflectiveOperationException {
        return acceptorsOf(ConnectionListener.class, NettyOpenfire::portsForClients);
    }

    /** The same of ports whose class is like Openfire's. */
    static Acceptors acceptorsOf(Class<?> portClass, Supplier<Set<?>> ports) throws ReflectiveOperationException {
        return new AcceptorsOfPorts(portClass, ports);
    }

    /** Open or not; they stay the same as long as Openfire runs. */
    private static Set<ConnectionListener> portsForClients() {
        XMPPServer server = XMPPServer.getInstance();
        ConnectionManager manager = server == null ? null : server.getConnectionManager();
        return manager instanceof ConnectionManagerImpl
                ? ((ConnectionManagerImpl) manager).getListeners(ConnectionType.SOCKET_C2S)
                : Collections.emptySet();
    }

    private static final class AcceptorsOfPorts implements Acceptors {
        private final Supplier<Set<?>> ports;
        private final Class<?> listenerClass;
        private final Method acceptorOf;
        private final Method add;
        private final Method remove;

        AcceptorsOfPorts(Class<?> portClass, Supplier<Set<?>> ports) throws ReflectiveOperationException {
            this.ports = ports;
            acceptorOf = portClass.getMethod("getConnectionAcceptor");
            listenerClass = Class.forName(portClass.getName() + "$SocketAcceptorEventListener");
            add = portClass.getMethod("add", listenerClass);
            remove = portClass.getMethod("remove", listenerClass);
        }

        @Override
        public Set<Object> inUse() {
            Set<Object> found = new HashSet<>();
            for (Object port : ports.get()) {
                // None while the port is closed, as at the start of the server.
                Object acceptor = call(acceptorOf, port);
                if (acceptor != null) {
                    found.add(acceptor);
                }
            }
            return found;
        }

        @Override
        public Runnable listen(Consumer<Object> starting) {
            Object listener = proxy(listenerClass, (method, arguments) -> {
                if ("acceptorStarting".equals(method)) {
                    starting.accept(arguments[0]);
                }
            });
            Set<?> asked = ports.get();
            asked.forEach(port -> change(port, add, listener));
            return asked.isEmpty() ? null : () -> asked.forEach(port -> change(port, remove, listener));
        }

        /**
         * Openfire goes through the listeners of a port holding its monitor, which it does not take to change them. Changed
         * in between, that ends with an exception, and the port stays closed.
         */
        private static void change(Object port, Method how, Object listener) {
            synchronized (port) {
                call(how, port, listener);
            }
        }
    }

    /**
     * Closes a connection as one that the network has cut, so that its session can be resumed. Up to 5.0 Openfire takes
     * any other close for the end of the session; from 5.1 on there is no such difference, and nothing to do.
     */
    static Consumer<Connection> interrupter() {
        Method close;
        try {
            close = Connection.class.getMethod("close", StreamError.class, boolean.class);
        } catch (NoSuchMethodException e) {
            return cut -> {};
        }
        return cut -> call(close, cut, null, true);
    }

    /** A factory of handlers, as Openfire wants it, that hands each channel to {@code watch}. */
    Object factory(Consumer<Channel> watch) {
        return proxy(factoryClass, (method, arguments) -> {
            // With an executor from 5.1 on, without before. At removal, the adapter itself knows its channels.
            if ("addNewHandlerTo".equals(method)) {
                watch.accept(((ChannelPipeline) arguments[0]).channel());
            }
        });
    }

    private static Object proxy(Class<?> type, BiConsumer<String, Object[]> calls) {
        return Proxy.newProxyInstance(
                NettyOpenfire.class.getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) -> {
                    switch (method.getName()) {
                        case "equals":
                            return proxy == arguments[0];
                        case "hashCode":
                            return System.identityHashCode(proxy);
                        case "toString":
                            return "Openfire Heartbeat";
                        default:
                            calls.accept(method.getName(), arguments);
                            return null;
                    }
                });
    }

    /** From now on the factory is asked for every new channel; before this returns it is asked for all that exist. */
    void add(Object acceptor, Object factory) {
        call(addFactory, acceptor, factory);
    }

    void remove(Object acceptor, Object factory) {
        call(removeFactory, acceptor, factory);
    }

    Connection connection(Channel channel) {
        return (Connection) channel.attr(connection).get();
    }

    boolean saysWhose(Connection one) {
        return owner != null && owner.getDeclaringClass().isInstance(one);
    }

    /** The session that a connection has now, as {@link #saysWhose} has it; null: it has none. */
    LocalSession owner(Connection one) {
        return (LocalSession) call(owner, one);
    }

    /** Openfire has written something, so it has opened its stream. */
    boolean hasWritten(Channel channel) {
        return channel.attr(written).get() != null;
    }

    /** What Openfire noted of an earlier silence is past: its next word on silence shall be a ping, not the end. */
    void forgetIdle(Channel channel) {
        channel.attr(idle).set(null);
    }

    private static Object call(Method method, Object target, Object... arguments) {
        try {
            return method.invoke(target, arguments);
        } catch (InvocationTargetException e) {
            throw new IllegalStateException(method + " failed", e.getCause());
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(method + " is not to be called", e);
        }
    }

    /** The acceptors of the ports that clients connect to. */
    interface Acceptors {
        Set<Object> inUse();

        /**
         * Tells of each acceptor that is about to open its port, until what is returned is run. Null: not yet possible. Both
         * wait for ports that are being opened or closed; who opens one holds it while {@code starting} is called.
         */
        Runnable listen(Consumer<Object> starting);
    }
}
