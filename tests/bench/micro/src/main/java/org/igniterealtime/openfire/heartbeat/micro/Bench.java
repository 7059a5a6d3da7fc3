package org.igniterealtime.openfire.heartbeat.micro;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * Runs the groups of rows, each in a process of its own, prints the table and writes the file. Arguments: a regular
 * expression for the names of groups, the scale, the file. Ends with status 1 if a bar does not hold; at the scale of a
 * smoke test figures mean nothing, and only their being there counts.
 */
public final class Bench {
    private final Path folder = Path.of(System.getProperty("bench.folder")).toAbsolutePath();
    private final Path plugin = Path.of(System.getProperty("bench.plugin")).toAbsolutePath();
    private final Path library = Path.of(System.getProperty("bench.native")).toAbsolutePath();
    private final Path program = Path.of(System.getProperty("bench.program")).toAbsolutePath();
    private final Scale scale;
    private final List<Result> results = new ArrayList<>();
    private final List<String> broken = new ArrayList<>();

    private Bench(Scale scale) {
        this.scale = scale;
    }

    public static void main(String[] arguments) throws Exception {
        Pattern wanted = Pattern.compile(arguments[0]);
        Scale scale = Scale.valueOf(arguments[1].toUpperCase(Locale.ROOT));
        Bench bench = new Bench(scale);
        List<Lane> lanes = Lane.ALL.stream().filter(lane -> wanted.matcher(lane.name()).find()).toList();
        if (lanes.isEmpty()) {
            System.err.println("no rows match " + wanted + "; there are: "
                    + String.join(", ", Lane.ALL.stream().map(Lane::name).toList()));
            System.exit(2);
        }
        if (scale == Scale.FULL) {
            System.out.println(Result.HEADER);
        }
        for (Lane lane : lanes) {
            bench.run(lane);
        }
        bench.write(Path.of(arguments[2]));
        System.exit(bench.verdict() ? 0 : 1);
    }

    private void run(Lane lane) throws IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(lane.isNative() ? nativeCommand(lane) : javaCommand(lane));
        builder.redirectError(folder.resolve(lane.name() + ".log").toFile());
        Process process = builder.start();
        int before = results.size();
        try (BufferedReader lines =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                Result result = Result.parse(JsonParser.parseString(line).getAsJsonObject());
                results.add(result);
                if (scale == Scale.FULL) {
                    System.out.println(result.line());
                }
            }
        }
        int status = process.waitFor();
        if (status != 0 || results.size() == before) {
            broken.add(lane.name());
            System.out.println(lane.name() + ": ended with status " + status + "; see "
                    + folder.resolve(lane.name() + ".log"));
        }
    }

    private List<String> nativeCommand(Lane lane) {
        return List.of(program.toString(), lane.name(), scale.name().toLowerCase(Locale.ROOT));
    }

    private List<String> javaCommand(Lane lane) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(lane.flags(scale));
        command.add("-Dbench.folder=" + folder);
        command.add("-Dbench.native=" + library);
        command.add("-cp");
        List<String> path = new ArrayList<>();
        path.add(plugin.toString());
        path.add(folder.resolve("lib") + "/*");
        lane.libraries().forEach(each -> path.add(folder.resolve(each) + "/*"));
        command.add(String.join(File.pathSeparator, path));
        command.add(Lane.class.getName());
        command.add(lane.name());
        command.add(scale.name());
        return command;
    }

    private void write(Path file) throws IOException {
        JsonArray all = new JsonArray();
        results.forEach(result -> all.add(result.json()));
        Files.createDirectories(file.toAbsolutePath().getParent());
        Files.writeString(
                file, new GsonBuilder().serializeNulls().setPrettyPrinting().create().toJson(all) + "\n");
    }

    private boolean verdict() {
        List<String> failing = new ArrayList<>(broken);
        results.stream()
                .filter(result -> scale == Scale.FULL ? result.fails() : !result.isWhole())
                .forEach(result -> failing.add(result.name()));
        if (scale == Scale.SMOKE) {
            System.out.println((failing.isEmpty() ? "ok" : "not ok") + " bench: " + results.size() + " rows can be measured");
        } else {
            long barred = results.stream().filter(result -> !result.json().get("bar").isJsonNull()).count();
            System.out.println(barred + " bars, " + failing.size() + " do not hold");
        }
        failing.forEach(name -> System.out.println("  " + name));
        return failing.isEmpty();
    }

    /** A line of a lane's output. */
    static void tell(Result result) {
        JsonObject json = result.json();
        System.out.println(new GsonBuilder().serializeNulls().create().toJson(json));
    }
}
