package org.igniterealtime.openfire.plugin.heartbeat.web;

import com.samskivert.mustache.Mustache;
import com.samskivert.mustache.Template;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The templates, {@code NAME.html} beside this class. Whatever they show is escaped, for element content and for
 * attributes in quotes. A name that a model lacks counts as nothing.
 */
final class Templates {
    private static final Mustache.Compiler COMPILER =
            Mustache.compiler().escapeHTML(true).defaultValue("").emptyStringIsFalse(true).withLoader(Templates::open);

    private static final Map<String, Template> COMPILED = new ConcurrentHashMap<>();

    private Templates() {}

    static String render(String name, Map<String, Object> model) {
        return COMPILED.computeIfAbsent(name, Templates::compile).execute(model);
    }

    private static Template compile(String name) {
        try (Reader reader = open(name)) {
            return COMPILER.compile(reader);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Reader open(String name) throws IOException {
        InputStream in = Templates.class.getResourceAsStream(name + ".html");
        if (in == null) {
            throw new IOException("there is no template " + name);
        }
        return new InputStreamReader(in, StandardCharsets.UTF_8);
    }
}
