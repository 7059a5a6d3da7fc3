package org.igniterealtime.openfire.heartbeat.harness;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;

/** A client that answers pings, in a process of its own ({@link ClientMain}), to be stopped or killed. */
public final class ProcessClient implements AutoCloseable {
    /** A stopped process can not see that we are gone: then this ends it. */
    private static final String LONGEST_LIFE = "300";

    private final Process process;
    private final BufferedReader output;
    private final long pid;
    private final String jid;

    public ProcessClient(OpenfireServer.Door door, String user, String resource) {
        List<String> command = List.of(
                "timeout", "--signal=KILL", LONGEST_LIFE,
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx32m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
                "-cp", System.getProperty("java.class.path"),
                "-Dheartbeat.products=" + Products.folder("."),
                ClientMain.class.getName(),
                door.domain(), Integer.toString(door.port()), user, resource);
        try {
            process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
            output = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
            String[] fields = readLine().split(" ");
            pid = Long.parseLong(fields[0]);
            jid = fields[1];
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private String readLine() throws IOException {
        String line = output.readLine();
        if (line == null) {
            throw new IOException("the client's process ended");
        }
        return line;
    }

    public String jid() {
        return jid;
    }

    /** Lets it send a space; returns when it did. */
    public long speak() {
        try {
            process.getOutputStream().write('\n');
            process.getOutputStream().flush();
            return Long.parseLong(readLine());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** SIGSTOP: it neither reads nor writes, and its connection stays open. */
    public void stop() {
        Signals.send(pid, "STOP");
    }

    /** SIGKILL: the kernel closes its connection. */
    public void kill() {
        Signals.send(pid, "KILL");
    }

    @Override
    public void close() {
        ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
    }
}
