package org.igniterealtime.openfire.heartbeat.micro;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/** A process in which a group is measured: with which libraries, and with how much memory. */
record Lane(String name, String heap, List<String> libraries, Supplier<Group> group) {
    private static final List<String> NETTY41 = List.of("netty-4.1", "mina-2.0");
    private static final List<String> NETTY42 = List.of("netty-4.2", "mina-2.0");
    private static final List<String> MINA21 = List.of("netty-4.1", "mina-2.1");

    static final List<Lane> ALL = List.of(
            new Lane("read-netty-4.1", "3g", NETTY41, () -> new NettyReads("Netty 4.1")),
            new Lane("read-netty-4.2", "3g", NETTY42, () -> new NettyReads("Netty 4.2")),
            new Lane("read-mina-2.0", "2g", NETTY41, () -> new MinaReads("MINA 2.0")),
            new Lane("read-mina-2.1", "2g", MINA21, () -> new MinaReads("MINA 2.1")),
            new Lane("tick", "8g", NETTY41, Ticks::new),
            new Lane("memory-java", "3g", NETTY41, JavaMemory::new),
            new Lane("activity", "4g", NETTY41, LastActivity::new),
            new Lane("recovery", "4g", NETTY41, Recovery::new),
            new Lane("journal", null, List.of(), null),
            new Lane("events", null, List.of(), null),
            new Lane("threads", null, List.of(), null),
            new Lane("memory-native", null, List.of(), null),
            new Lane("machines", null, List.of(), null));

    /** Without a group it is the program that is written in C. */
    boolean isNative() {
        return group == null;
    }

    List<String> flags(Scale scale) {
        List<String> flags = new ArrayList<>(List.of("-Xmx" + heap, "-XX:+UseParallelGC", "-XX:-UsePerfData"));
        if (scale == Scale.FULL) {
            flags.add("-Xms" + heap);
        }
        // For JOL, and for what Openfire 4.2.0 needs of a younger JVM than it was made for.
        flags.addAll(List.of(
                "-Djdk.attach.allowAttachSelf=true",
                "-XX:+EnableDynamicAgentLoading",
                "--add-opens=java.base/java.lang=ALL-UNNAMED",
                "--add-opens=java.base/sun.security.x509=ALL-UNNAMED"));
        return flags;
    }

    /** Arguments: its name, the scale. */
    public static void main(String[] arguments) throws Exception {
        // Nothing but results may reach standard output.
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        System.setOut(System.err);
        Lane lane = ALL.stream().filter(each -> each.name.equals(arguments[0])).findFirst().orElseThrow();
        List<Result> results = lane.group.get().run(Scale.valueOf(arguments[1]));
        System.setOut(out);
        results.forEach(Bench::tell);
        // Threads of the peers do not keep it up.
        System.exit(0);
    }
}
