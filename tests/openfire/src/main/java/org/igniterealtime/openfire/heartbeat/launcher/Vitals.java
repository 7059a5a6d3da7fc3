package org.igniterealtime.openfire.heartbeat.launcher;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.management.JMException;
import javax.management.ObjectName;

/** What this process holds, as far as it and the system know. */
final class Vitals {
    private static final Pattern RESIDENT = Pattern.compile("VmRSS:\\s+([0-9]+) kB");
    private static final Pattern TOTAL = Pattern.compile("Total: reserved=[0-9]+KB, committed=([0-9]+)KB");
    private static final Pattern HEAP = Pattern.compile("Java Heap \\(reserved=[0-9]+KB, committed=([0-9]+)KB");

    private Vitals() {}

    /** As JSON; bytes but for counts. Collects garbage first. */
    static String text(String className) throws IOException, JMException {
        System.gc();
        // Whatever is left: a collection of its own may wait for native code for long.
        String objects = diagnose("gcClassHistogram", "-all");
        Runtime runtime = Runtime.getRuntime();
        long heap = runtime.totalMemory() - runtime.freeMemory();
        String memory = diagnose("vmNativeMemory", "summary");
        long committed = number(TOTAL, memory) - number(HEAP, memory);
        long resident = number(RESIDENT, Files.readString(Paths.get("/proc/self/status")));
        long descriptors;
        try (Stream<Path> open = Files.list(Paths.get("/proc/self/fd"))) {
            descriptors = open.count();
        }
        return String.format(
                Locale.ROOT,
                "{\"resident\":%d,\"native\":%d,\"heap\":%d,\"descriptors\":%d,\"objects\":%d}",
                resident << 10, committed << 10, heap, descriptors, count(className, objects));
    }

    private static long number(Pattern pattern, String text) {
        Matcher matcher = pattern.matcher(text);
        if (!matcher.find()) {
            throw new IllegalStateException("no " + pattern + " in: " + text);
        }
        return Long.parseLong(matcher.group(1));
    }

    /** Of all classes with this name, however many loaders have one. */
    private static long count(String className, String histogram) {
        return histogram.lines()
                .map(line -> line.trim().split("\\s+"))
                .filter(fields -> fields.length >= 4 && fields[3].equals(className))
                .mapToLong(fields -> Long.parseLong(fields[1]))
                .sum();
    }

    private static String diagnose(String command, String... arguments) throws JMException {
        ObjectName door = new ObjectName("com.sun.management:type=DiagnosticCommand");
        return (String) ManagementFactory.getPlatformMBeanServer()
                .invoke(door, command, new Object[] {arguments}, new String[] {String[].class.getName()});
    }
}
