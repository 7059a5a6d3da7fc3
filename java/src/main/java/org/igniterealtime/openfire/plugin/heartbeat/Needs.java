package org.igniterealtime.openfire.plugin.heartbeat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.lang.invoke.MethodType;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Collectors;

/**
 * What we use of Openfire, whatever its transport. Java would find out that a method is gone when it is called for the
 * first time, perhaps in the middle of a stanza; this looks at all of it before anything begins. A test compares the
 * list with our classes.
 */
final class Needs {
    /** One per line, as Java writes them: class, name, type. */
    static final String LIST = "openfire-members.txt";

    private static final Class<?>[] LISTENERS = {HeartbeatPlugin.class, OpenfireEvents.class, PolicyProperty.class};

    private Needs() {}

    /**
     * Looks whether this server has all of it.
     *
     * @throws ReflectiveOperationException its message names what it does not have
     */
    static void check() throws ReflectiveOperationException {
        for (String member : members()) {
            check(member);
        }
        for (Class<?> listener : LISTENERS) {
            checkComplete(listener);
        }
    }

    static List<String> members() {
        InputStream list = Needs.class.getResourceAsStream(LIST);
        if (list == null) {
            throw new IllegalStateException(LIST + " is not in the plugin");
        }
        try (BufferedReader reader = new BufferedReader(new InputStreamReader(list, StandardCharsets.UTF_8))) {
            return reader.lines().collect(Collectors.toList());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static void check(String member) throws ReflectiveOperationException {
        int dot = member.indexOf('.');
        int colon = member.indexOf(':');
        String type = member.substring(colon + 1);
        Class<?> owner = Class.forName(member.substring(0, dot).replace('/', '.'));
        if (!has(owner, member.substring(dot + 1, colon), type)) {
            throw new NoSuchMethodException(member);
        }
    }

    /** Whether Openfire asks a listener for more than we know of. */
    private static void checkComplete(Class<?> listener) throws ReflectiveOperationException {
        for (Method method : listener.getMethods()) {
            if (Modifier.isAbstract(method.getModifiers())) {
                throw new NoSuchMethodException("a listener without " + method);
            }
        }
    }

    private static boolean has(Class<?> owner, String name, String type) throws ReflectiveOperationException {
        if (!type.startsWith("(")) {
            return type.equals(descriptor(owner.getField(name).getType()));
        }
        if ("<init>".equals(name)) {
            for (Constructor<?> each : owner.getConstructors()) {
                if (type.equals(descriptor(void.class, each.getParameterTypes()))) {
                    return true;
                }
            }
            return false;
        }
        for (Method each : owner.getMethods()) {
            if (each.getName().equals(name)
                    && type.equals(descriptor(each.getReturnType(), each.getParameterTypes()))) {
                return true;
            }
        }
        return false;
    }

    private static String descriptor(Class<?> field) {
        return descriptor(field, new Class<?>[0]).substring(2);
    }

    private static String descriptor(Class<?> result, Class<?>... parameters) {
        return MethodType.methodType(result, parameters).toMethodDescriptorString();
    }
}
