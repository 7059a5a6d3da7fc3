package org.igniterealtime.openfire.heartbeat.suite;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.Products;
import org.igniterealtime.openfire.heartbeat.harness.Signals;

/** A client in a browser's language, as people really use them, in a process of its own (tests/web-client). */
final class ScriptClient implements AutoCloseable {
    /** A stopped process can not see that we are gone: then this ends it. */
    private static final String LONGEST_LIFE = "300";

    private static final long PATIENCE_S = 30;

    private final Process process;
    private final List<String> said = new ArrayList<>();
    private final long pid;
    private final String jid;

    static ScriptClient xmppJs(OpenfireServer server, String user) throws IOException, InterruptedException {
        return new ScriptClient("xmppjs.js", "ws://127.0.0.1:" + server.port(WebClient.PORT) + "/ws/", server, user);
    }

    static ScriptClient strophe(OpenfireServer server, String user) throws IOException, InterruptedException {
        return new ScriptClient("strophe.js", "http://127.0.0.1:" + server.port(WebClient.PORT) + "/http-bind/", server, user);
    }

    private ScriptClient(String name, String address, OpenfireServer server, String user) throws IOException, InterruptedException {
        Path script = Products.folder("web-client").resolve(name);
        process = new ProcessBuilder(
                        "timeout", "--signal=KILL", LONGEST_LIFE, "node", script.toString(), address,
                        server.domain(), user, user, "web")
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        Thread listener = new Thread(this::listen, name + " of " + user);
        listener.setDaemon(true);
        listener.start();
        pid = Long.parseLong(await("pid"));
        jid = await("online");
    }

    private void listen() {
        try (BufferedReader lines =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            String line = lines.readLine();
            while (line != null) {
                synchronized (said) {
                    said.add(line);
                    said.notifyAll();
                }
                line = lines.readLine();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Waits until it has said something that begins with this word; returns the rest of it. */
    String await(String word) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_S);
        synchronized (said) {
            while (count(word) == 0) {
                long left = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
                if (left <= 0) {
                    throw new IllegalStateException("it did not say " + word + ", but " + said);
                }
                said.wait(left);
            }
            return said.stream()
                    .filter(line -> line.startsWith(word))
                    .findFirst()
                    .orElseThrow()
                    .substring(word.length())
                    .trim();
        }
    }

    /** How often it said something that begins with this word. */
    long count(String word) {
        synchronized (said) {
            return said.stream().filter(line -> line.startsWith(word)).count();
        }
    }

    String jid() {
        return jid;
    }

    /** Cuts its connection; it comes back by itself after a second. */
    void cut() throws IOException {
        command("cut");
    }

    void logout() throws IOException {
        command("logout");
    }

    private void command(String name) throws IOException {
        OutputStream input = process.getOutputStream();
        input.write((name + "\n").getBytes(StandardCharsets.UTF_8));
        input.flush();
    }

    /** SIGSTOP: it neither reads nor writes, and its connection stays open. */
    void stop() {
        Signals.send(pid, "STOP");
    }

    /** SIGKILL: the kernel closes its connection. */
    void kill() {
        Signals.send(pid, "KILL");
    }

    @Override
    public void close() {
        ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
    }
}
