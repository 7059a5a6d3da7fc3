package org.igniterealtime.openfire.heartbeat.harness;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Where things lie that were built, and where we may write. */
public final class Products {
    private Products() {}

    /** The folder of all products ({@code heartbeat.products}, by default {@code build}). */
    private static Path root() {
        return Path.of(System.getProperty("heartbeat.products", "build")).toAbsolutePath().normalize();
    }

    /** A folder of this name below it. */
    public static Path folder(String name) {
        try {
            return Files.createDirectories(root().resolve(name));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A program that was built. */
    public static Path program(String name) {
        Path program = root().resolve(name);
        if (!Files.isExecutable(program)) {
            throw new IllegalStateException("there is no program at " + program);
        }
        return program;
    }

    /** The plugin under test. */
    public static Path plugin() {
        return jar(System.getProperty("heartbeat.jar", root().resolve("heartbeat.jar").toString()));
    }

    /** The same with another, higher version number. */
    public static Path newerPlugin() {
        return jar(root().resolve("newer/build/heartbeat.jar").toString());
    }

    private static Path jar(String file) {
        Path jar = Path.of(file).toAbsolutePath().normalize();
        if (!Files.isRegularFile(jar)) {
            throw new IllegalStateException("there is no plugin at " + jar);
        }
        return jar;
    }
}
