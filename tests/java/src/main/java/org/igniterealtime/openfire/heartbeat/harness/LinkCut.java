package org.igniterealtime.openfire.heartbeat.harness;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * A link that is down: from here until {@link #close}, every packet of a connection on loopback is lost, and nobody
 * hears of it. The port of a client alone is not enough: another has it too, with another server. Needs nftables and the right to use them. The kernel removes the rules when this JVM ends.
 */
public final class LinkCut implements AutoCloseable {
    private final Process nft;
    private final OutputStream commands;

    public LinkCut(int client, int server) {
        String table = "inet heartbeat_" + client + "_" + server;
        try {
            Path said = Files.createTempFile(Products.folder("servers"), "nft-", ".log");
            nft = new ProcessBuilder("nft", "-i")
                    .redirectErrorStream(true)
                    .redirectOutput(said.toFile())
                    .start();
            commands = nft.getOutputStream();
            // The table belongs to this nft: it vanishes with it.
            say("add table " + table + " { flags owner; }");
            // On their way in: dropped on their way out, the sender would be told.
            say("add chain " + table + " in { type filter hook input priority 0; }");
            say("add rule " + table + " in iifname lo " + between(client, server) + " drop");
            say("add rule " + table + " in iifname lo " + between(server, client) + " drop");
            awaitRule(between(server, client), said);
        } catch (IOException e) {
            throw new UncheckedIOException("nftables does not work here", e);
        }
    }

    private void say(String command) throws IOException {
        commands.write((command + "\n").getBytes(StandardCharsets.UTF_8));
        commands.flush();
    }

    private static String between(int from, int to) {
        return "tcp sport " + from + " tcp dport " + to;
    }

    /** Returns when the rule is in place, and all before it. */
    private void awaitRule(String rule, Path said) throws IOException {
        for (int tries = 0; tries < 100; tries++) {
            Process list = new ProcessBuilder("nft", "list", "ruleset").redirectErrorStream(true).start();
            String rules = new String(list.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (rules.contains(rule)) {
                return;
            }
            try {
                TimeUnit.MILLISECONDS.sleep(20);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                break;
            }
        }
        close();
        throw new IOException("nft: " + Files.readString(said));
    }

    @Override
    public void close() {
        nft.destroy();
    }
}
