package org.igniterealtime.openfire.heartbeat.harness;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/**
 * A client in a process of its own, for what only happens to processes. Logs in, then writes its process id and full JID.
 * For each line on standard input it sends a space and writes when ({@link System#nanoTime}, which processes of one
 * machine share); at the end of the input it ends.
 */
public final class ClientMain {
    private ClientMain() {}

    /** Arguments: domain, port, user, resource. */
    public static void main(String[] arguments) throws IOException {
        OpenfireServer.Door door = new OpenfireServer.Door(arguments[0], Integer.parseInt(arguments[1]));
        RawClient client = RawClient.login(door, arguments[2], arguments[3]).available();
        client.answerPings(PingAnswer.RESULT);
        System.out.println(ProcessHandle.current().pid() + " " + client.jid());
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        while (input.readLine() != null) {
            client.send(" ");
            System.out.println(client.lastSent());
        }
        System.exit(0);
    }
}
