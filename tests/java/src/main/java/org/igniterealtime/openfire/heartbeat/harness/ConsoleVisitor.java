package org.igniterealtime.openfire.heartbeat.harness;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.CookieManager;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Asks the web console of a server by HTTP, with a session of its own, and follows no redirect. */
public final class ConsoleVisitor {
    private static final Pattern TOKEN = Pattern.compile("name=\"csrf\"[^>]*value=\"([^\"]*)\"");

    private final String console;
    private final HttpClient client = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .cookieHandler(new CookieManager())
            .build();

    public ConsoleVisitor(OpenfireServer server) {
        console = server.webConsole();
    }

    /** Logs in as the console's form does, with the form's token where it has one. */
    public ConsoleVisitor login(String user, String password) {
        return sendLogin("login.jsp", "username=" + encode(user) + "&password=" + encode(password));
    }

    /** Logs in by the token of the configuration file, which serves once. */
    public ConsoleVisitor loginOnce(String token) {
        return sendLogin("loginToken.jsp", "token=" + encode(token));
    }

    private ConsoleVisitor sendLogin(String page, String who) {
        Matcher token = TOKEN.matcher(ask("GET", page, "").body());
        String body = "url=" + encode("/index.jsp") + "&login=true&" + who
                + (token.find() ? "&csrf=" + encode(token.group(1)) : "");
        HttpResponse<String> answer = ask("POST", page, body, "Content-Type", "application/x-www-form-urlencoded");
        if (answer.statusCode() != 302) {
            throw new IllegalStateException("no login: " + answer + "\n" + answer.body());
        }
        return this;
    }

    private static String encode(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    /** @param page below the console's address; headers are names and values in turns */
    public HttpResponse<String> ask(String method, String page, String body, String... headers) {
        return send(method, page, body, HttpResponse.BodyHandlers.ofString(), headers);
    }

    private <A> HttpResponse<A> send(
            String method, String page, String body, HttpResponse.BodyHandler<A> handler, String... headers) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(console + page))
                .method(
                        method,
                        body.isEmpty()
                                ? HttpRequest.BodyPublishers.noBody()
                                : HttpRequest.BodyPublishers.ofString(body));
        if (headers.length > 0) {
            request.headers(headers);
        }
        try {
            return client.send(request.build(), handler);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    /** How long an answer took: until its first byte, and all of it; and how many bytes it has. */
    public record Timing(long firstByteNs, long allNs, long bytes) {}

    /** Gets a page that must be there. */
    public Timing time(String page, String... headers) {
        long start = System.nanoTime();
        HttpResponse<InputStream> answer =
                send("GET", page, "", HttpResponse.BodyHandlers.ofInputStream(), headers);
        try (InputStream in = answer.body()) {
            long bytes = in.read() < 0 ? 0 : 1;
            long first = System.nanoTime();
            bytes += in.readAllBytes().length;
            if (answer.statusCode() != 200) {
                throw new IllegalStateException(page + ": " + answer);
            }
            return new Timing(first - start, System.nanoTime() - start, bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
