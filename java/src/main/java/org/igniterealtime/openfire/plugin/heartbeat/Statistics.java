package org.igniterealtime.openfire.plugin.heartbeat;

import java.util.function.ToLongFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jivesoftware.openfire.stats.Statistic;
import org.jivesoftware.openfire.stats.StatisticsManager;

/** What Openfire's monitoring plugin draws: it samples each of them once a minute. */
final class Statistics {
    private static final String GROUP = "heartbeat_";

    private final NativeCore core;

    /** By their keys in the core's status. */
    private final One[] all;

    Statistics(NativeCore core) {
        this.core = core;
        all = new One[] {
            new One("alive", "Sessions that are alive", "Sessions", Statistic.Type.count),
            new One("pinged", "Sessions that a ping waits for", "Sessions", Statistic.Type.count),
            new One("detached", "Sessions that may be resumed", "Sessions", Statistic.Type.count),
            new One("pings", "Pings sent", "Pings", Statistic.Type.rate),
            new One("pongs", "Pings answered", "Answers", Statistic.Type.rate),
            new One("closes", "Sessions closed as dead", "Sessions", Statistic.Type.rate),
            new One("cuts", "Sessions cut to be resumed", "Sessions", Statistic.Type.rate),
            new One("told", "Sessions whose contacts the plugin told", "Sessions", Statistic.Type.rate),
        };
    }

    void register() {
        for (One each : all) {
            StatisticsManager.getInstance().addStatistic(GROUP + each.key, each);
        }
    }

    void unregister() {
        for (One each : all) {
            StatisticsManager.getInstance().removeStatistic(GROUP + each.key);
        }
    }

    /** The first number of this key in the status; 0 when off. */
    static long number(String status, String key) {
        Matcher matcher = Pattern.compile("\"" + key + "\":(\\d+)").matcher(status == null ? "" : status);
        return matcher.find() ? Long.parseLong(matcher.group(1)) : 0;
    }

    private final class One implements Statistic {
        private final String key;
        private final String name;
        private final String units;
        private final Type type;
        private final ToLongFunction<String> now;

        /** What it was at the last sample. */
        private long before;

        One(String key, String name, String units, Type type) {
            this.key = key;
            this.name = "Heartbeat: " + name;
            this.units = units;
            this.type = type;
            now = status -> number(status, key);
        }

        @Override
        public String getName() {
            return name;
        }

        @Override
        public Type getStatType() {
            return type;
        }

        @Override
        public String getDescription() {
            return name;
        }

        @Override
        public String getUnits() {
            return units;
        }

        @Override
        public synchronized double sample() {
            long value = now.applyAsLong(core.status(false));
            if (type == Type.count) {
                return value;
            }
            long since = Math.max(0, value - before);
            before = value;
            return since;
        }

        @Override
        public boolean isPartialSample() {
            return false;
        }
    }
}
