package org.igniterealtime.openfire.plugin.heartbeat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.lang.reflect.AnnotatedElement;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The Java that the tests run on: what we use of it is there and stays, and the library is loaded as it lets us. */
class JavaTest {
    /** From here on Java warns when a library is loaded, and can be told to refuse (JEP 472). */
    private static final int WARNS = 24;

    @TempDir
    private Path plugin;

    @Test
    void usesNothingThatIsGoneOrGoing() throws Exception {
        Path classes = Path.of(Needs.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        Set<String> used = new TreeSet<>();
        try (Stream<Path> files = Files.walk(classes)) {
            files.filter(file -> file.toString().endsWith(".class")).forEach(file -> NeedsTest.addMembers(file, "java/", used));
        }
        assertTrue(used.contains("java/lang/System.load:(Ljava/lang/String;)V"), "members are found: " + used);
        List<String> going = new ArrayList<>();
        for (String member : used) {
            String trouble = troubleWith(member);
            if (trouble != null) {
                going.add(member + " " + trouble);
            }
        }
        assertEquals(List.of(), going);
    }

    @Test
    void findsWhatIsGoneOrGoing() {
        assertEquals("is to be removed", troubleWith("java/lang/SecurityManager.checkExit:(I)V"));
        assertEquals("is not there", troubleWith("java/lang/Thread.destroyAll:()V"));
        assertEquals("is not there", troubleWith("java/lang/Gone.any:()V"));
        assertEquals(null, troubleWith("java/lang/Thread.start:()V"));
    }

    /** A member as class files name it: why we should not use it, or null. */
    private static String troubleWith(String member) {
        int dot = member.indexOf('.');
        int colon = member.indexOf(':');
        String name = member.substring(dot + 1, colon);
        try {
            Class<?> owner = Class.forName(member.substring(0, dot).replace('/', '.'), false, ClassLoader.getPlatformClassLoader());
            if (owner.isArray()) {
                return null;
            }
            List<AnnotatedElement> found = new ArrayList<>();
            collect(owner, name, member.substring(colon + 1), found);
            if (found.isEmpty()) {
                return "is not there";
            }
            found.add(owner);
            return found.stream().anyMatch(JavaTest::isGoing) ? "is to be removed" : null;
        } catch (ClassNotFoundException e) {
            return "is not there";
        }
    }

    private static boolean isGoing(AnnotatedElement element) {
        Deprecated deprecated = element.getAnnotation(Deprecated.class);
        return deprecated != null && deprecated.forRemoval();
    }

    /** The first that the JVM would find: in the class, else above it. */
    private static void collect(Class<?> owner, String name, String descriptor, List<AnnotatedElement> found) {
        if (name.equals("<init>")) {
            Arrays.stream(owner.getDeclaredConstructors())
                    .filter(constructor -> descriptor.equals(descriptor(constructor)))
                    .forEach(found::add);
            return;
        }
        for (Class<?> at = owner; at != null && found.isEmpty(); at = at.getSuperclass()) {
            Arrays.stream(at.getDeclaredMethods())
                    // A method handle's takes what it is given.
                    .filter(method -> method.getName().equals(name)
                            && (descriptor.equals(descriptor(method)) || owner.getName().endsWith("MethodHandle")))
                    .forEach(found::add);
            Arrays.stream(at.getDeclaredFields())
                    .filter(field -> field.getName().equals(name) && descriptor.equals(field.getType().descriptorString()))
                    .forEach(found::add);
            for (Class<?> above : at.getInterfaces()) {
                if (found.isEmpty()) {
                    collect(above, name, descriptor, found);
                }
            }
        }
        if (owner.isInterface() && found.isEmpty()) {
            collect(Object.class, name, descriptor, found);
        }
    }

    private static String descriptor(Method method) {
        return parameters(method.getParameterTypes()) + method.getReturnType().descriptorString();
    }

    private static String descriptor(Constructor<?> constructor) {
        return parameters(constructor.getParameterTypes()) + "V";
    }

    private static String parameters(Class<?>[] types) {
        StringBuilder text = new StringBuilder("(");
        for (Class<?> type : types) {
            text.append(type.descriptorString());
        }
        return text.append(')').toString();
    }

    /** Who fails to collect us would call a finalizer, which later versions do not. */
    @Test
    void hasNoFinalizers() throws Exception {
        Path classes = Path.of(Needs.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        try (Stream<Path> files = Files.walk(classes)) {
            List<Path> found = files.filter(file -> file.toString().endsWith(".class"))
                    .filter(file -> contains(file, "finalize"))
                    .toList();
            assertEquals(List.of(), found);
        }
    }

    private static boolean contains(Path file, String word) {
        try {
            return Files.readString(file, StandardCharsets.ISO_8859_1).contains(word);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    // ---- Loading the library.

    @Test
    void isWarnedOfAsJavaDoes() throws Exception {
        String said = load();
        assertTrue(said.contains("refusal: null\n"), said);
        assertEquals(isYoung(), said.contains("restricted method"), said);
    }

    @Test
    void isNotWarnedOfWithTheFlag() throws Exception {
        String said = load("--enable-native-access=ALL-UNNAMED");
        assertEquals("refusal: null\n", said);
    }

    @Test
    void saysWhichFlagIsMissingWhereJavaRefuses() throws Exception {
        if (isYoung()) {
            String said = load("--illegal-native-access=deny");
            assertTrue(said.startsWith("refusal: ") && said.contains("libheartbeat.so can not be loaded: "), said);
            assertTrue(said.endsWith(". Start Openfire's Java with --enable-native-access=ALL-UNNAMED\n"), said);
            assertEquals("refusal: null\n", load("--illegal-native-access=deny", "--enable-native-access=ALL-UNNAMED"));
        } else {
            // It does not know how to refuse.
            assertTrue(load("--illegal-native-access=deny").contains("nrecognized option"));
        }
    }

    private static boolean isYoung() {
        return Runtime.version().feature() >= WARNS;
    }

    /** What another JVM of this kind says when it loads the library. */
    private String load(String... flags) throws Exception {
        Path file = plugin.resolve("libheartbeat.so");
        Files.deleteIfExists(file);
        TestLibrary.copyTo(file);
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of(flags));
        command.addAll(List.of(
                "-cp", System.getProperty("java.class.path"), Loader.class.getName(), plugin.toString(),
                TestLibrary.version()));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        process.waitFor();
        return said;
    }

    /** The program of that JVM. */
    static final class Loader {
        public static void main(String[] arguments) throws Exception {
            Path folder = new File(arguments[0]).toPath();
            Properties known = new Properties();
            known.setProperty("version", arguments[1]);
            known.setProperty("here.path", "libheartbeat.so");
            known.setProperty("here.sha256", NativeLibraryTest.sha256(Files.readAllBytes(folder.resolve("libheartbeat.so"))));
            System.out.print("refusal: " + NativeLibrary.load(folder, known, "here").refusal() + "\n");
        }
    }
}
