package org.igniterealtime.openfire.heartbeat.launcher;

import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jivesoftware.openfire.XMPPServer;

/**
 * Boots Openfire from the home in the system property {@code openfireHome} and obeys the commands of {@link Commands}.
 *
 * <p>Protocol: UTF-8 lines of fields that are separated by tabs; tab, line feed, carriage return and backslash in a field
 * are written {@code \t \n \r \\}. In: a number, a command, its arguments. Out: the number, "ok" or "failed", and the
 * answer. Commands run side by side, so answers come in any order. The first line out is number 0, "ok", when clients can
 * connect. At the end of the input the process halts: a server never outlives the one that started it.
 */
public final class ServerMain {
    private ServerMain() {}

    public static void main(String[] arguments) throws Exception {
        // Nothing but answers may reach standard output; start the JVM with -XX:+DisplayVMOutputToStderr too.
        PrintStream answers =
                new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        System.setOut(System.err);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        // And nobody else may read commands: an Openfire that was installed looks each second whether it is told to exit.
        System.setIn(InputStream.nullInputStream());

        XMPPServer server = new XMPPServer();
        Commands commands = new Commands(server);
        commands.awaitListening();
        say(answers, "0", "ok", Long.toString(ProcessHandle.current().pid()));

        ExecutorService workers = Executors.newCachedThreadPool(task -> {
            Thread thread = new Thread(task, "launcher-command");
            thread.setDaemon(true);
            return thread;
        });
        try {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] fields = line.split("\t", -1);
                workers.execute(() -> obey(commands, fields, answers));
            }
        } catch (IOException e) {
            // The pipe broke: the same as its end.
        }
        Runtime.getRuntime().halt(0);
    }

    private static void obey(Commands commands, String[] fields, PrintStream answers) {
        String[] arguments = new String[fields.length - 2];
        for (int i = 0; i < arguments.length; i++) {
            arguments[i] = unescape(fields[i + 2]);
        }
        try {
            say(answers, fields[0], "ok", commands.run(fields[1], arguments));
        } catch (Throwable e) {
            say(answers, fields[0], "failed", e.toString());
        }
    }

    private static void say(PrintStream answers, String number, String outcome, String text) {
        synchronized (answers) {
            answers.println(number + "\t" + outcome + "\t" + escape(text));
        }
    }

    private static String escape(String text) {
        return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r");
    }

    private static String unescape(String text) {
        StringBuilder plain = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '\\') {
                c = text.charAt(++i);
                c = c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c;
            }
            plain.append(c);
        }
        return plain.toString();
    }
}
