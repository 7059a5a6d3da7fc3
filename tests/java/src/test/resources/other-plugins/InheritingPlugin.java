package other;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.igniterealtime.openfire.plugin.heartbeat.HeartbeatPlugin;
import org.igniterealtime.openfire.plugin.heartbeat.LastActivityListener;
import org.igniterealtime.openfire.plugin.heartbeat.LastActivityService;
import org.igniterealtime.openfire.plugin.heartbeat.UserActivity;
import org.jivesoftware.openfire.container.Plugin;
import org.jivesoftware.openfire.container.PluginManager;

/** A child of Heartbeat: one listener throws, the other erases some of those whom it is told of. */
public final class InheritingPlugin implements Plugin {
    @Override
    public void initializePlugin(PluginManager manager, File folder) {
        LastActivityService service = heartbeat(manager).lastActivityService();
        service.addListener(users -> {
            IllegalStateException trouble = new IllegalStateException("on purpose");
            trouble.setStackTrace(new StackTraceElement[0]);
            throw trouble;
        }, this);
        service.addListener(new LastActivityListener() {
            @Override
            public void ended(List<UserActivity> users) {
                for (UserActivity user : users) {
                    note("ended " + user.user() + " " + user.reason() + " " + Thread.currentThread().getName() + " own-loader "
                            + (InheritingPlugin.class.getClassLoader() != HeartbeatPlugin.class.getClassLoader())
                            + " same-time " + (service.lastReadMs(user.user()) == user.lastReadMs())
                            + " nobody " + service.lastReadMs("nobody"));
                    if (user.user().endsWith("-third")) {
                        service.erase(user.user());
                    }
                }
            }

            @Override
            public void erased(List<String> users) {
                note("erased " + String.join(" ", users));
            }
        }, this);
    }

    private static HeartbeatPlugin heartbeat(PluginManager manager) {
        return manager.getPlugins().stream()
                .filter(plugin -> plugin instanceof HeartbeatPlugin)
                .map(plugin -> (HeartbeatPlugin) plugin)
                .findFirst()
                .orElseThrow(() -> new IllegalStateException("Heartbeat is not there"));
    }

    @Override
    public void destroyPlugin() {
        note("destroyed");
    }

    private static void note(String line) {
        Path file = Paths.get(System.getProperty("openfireHome"), "logs", "told-inheriting.txt");
        try {
            Files.write(file, (line + "\n").getBytes(StandardCharsets.UTF_8), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
