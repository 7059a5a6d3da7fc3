package org.igniterealtime.openfire.heartbeat.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordedFrame;
import jdk.jfr.consumer.RecordedMethod;
import jdk.jfr.consumer.RecordingFile;

/** Where a server's time went, from the samples of a recording. Waiting threads are left out. */
final class Profile {
    private static final int SHOWN = 20;

    /** Native methods in which a thread waits and costs nothing. */
    private static final List<String> WAITS =
            List.of("EPoll.wait", "Net.accept", "Net.poll", "LinuxWatchService.poll", "FileInputStream.readBytes");

    /** Whose work it is: the first of these that is on the stack, from its top. */
    private static final Map<String, String> OWNERS = new LinkedHashMap<>();

    static {
        OWNERS.put("org.igniterealtime.openfire.plugin.heartbeat.NativeCore", "the core (over JNI)");
        OWNERS.put("org.igniterealtime.openfire.plugin.heartbeat", "the plugin's Java side");
        OWNERS.put("io.netty.handler.timeout", "Netty's idle timers");
        OWNERS.put("io.netty", "Netty");
        OWNERS.put("org.apache.mina", "MINA");
        OWNERS.put("org.jivesoftware", "Openfire");
        OWNERS.put("org.xmpp", "stanzas (tinder, dom4j, parser)");
        OWNERS.put("org.dom4j", "stanzas (tinder, dom4j, parser)");
        OWNERS.put("org.xmlpull", "stanzas (tinder, dom4j, parser)");
        OWNERS.put("com.fasterxml", "stanzas (tinder, dom4j, parser)");
        OWNERS.put("org.apache.logging", "logging");
    }

    private final Map<String, Integer> owners = new HashMap<>();
    private final Map<String, Integer> threads = new HashMap<>();
    private final Map<String, Integer> methods = new HashMap<>();
    private int samples;

    Profile(Path recording) throws IOException {
        try (RecordingFile file = new RecordingFile(recording)) {
            while (file.hasMoreEvents()) {
                RecordedEvent event = file.readEvent();
                if (event.getEventType().getName().endsWith("Sample") && event.getStackTrace() != null) {
                    add(event.getStackTrace().getFrames(), event.getThread("sampledThread").getJavaName());
                }
            }
        }
    }

    private void add(List<RecordedFrame> frames, String thread) {
        if (frames.isEmpty() || WAITS.contains(name(frames.get(0)))) {
            return;
        }
        samples++;
        threads.merge(String.valueOf(thread).replaceAll("[0-9]+", "N"), 1, Integer::sum);
        owners.merge(first(frames, Profile::owner, "the JDK and the JVM"), 1, Integer::sum);
        methods.merge(first(frames, frame -> owner(frame) == null ? null : name(frame), name(frames.get(0))), 1, Integer::sum);
    }

    private static String first(List<RecordedFrame> frames, Function<RecordedFrame, String> of, String otherwise) {
        for (RecordedFrame frame : frames) {
            String found = of.apply(frame);
            if (found != null) {
                return found;
            }
        }
        return otherwise;
    }

    private static String owner(RecordedFrame frame) {
        String type = frame.getMethod().getType().getName();
        for (Map.Entry<String, String> each : OWNERS.entrySet()) {
            if (type.startsWith(each.getKey())) {
                return each.getValue();
            }
        }
        return null;
    }

    private static String name(RecordedFrame frame) {
        RecordedMethod method = frame.getMethod();
        String type = method.getType().getName();
        return type.substring(type.lastIndexOf('.') + 1) + "." + method.getName();
    }

    void print(PrintStream out) {
        out.println(samples + " samples of threads that did something");
        print(out, "by owner (the topmost frame that has one)", owners);
        print(out, "by thread", threads);
        print(out, "by method (the topmost that is not the JDK's)", methods);
    }

    private void print(PrintStream out, String title, Map<String, Integer> counts) {
        out.println(title);
        counts.entrySet().stream()
                .sorted(Map.Entry.<String, Integer>comparingByValue().reversed())
                .limit(SHOWN)
                .forEach(each -> out.printf(Locale.ROOT, "  %5.1f %%  %s%n", 100.0 * each.getValue() / samples, each.getKey()));
    }
}
