package org.igniterealtime.openfire.heartbeat.micro;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.ToLongFunction;
import java.util.stream.Stream;
import org.igniterealtime.openfire.plugin.heartbeat.Door;
import org.jivesoftware.openfire.user.User;

/**
 * The last activity of a user, looked up and written, among a million. Names are strings made afresh, as a parser makes
 * them: their hashes are not known yet. Users are asked for out of all order, so that each is somewhere else in memory.
 */
final class LastActivity implements Group {
    private static final int USERS = 1_000_000;
    private static final int HOT = 1_000;
    private static final int LOOKUPS = 20_000;
    private static final int MISSES = 200;
    private static final int ENDS = 5_000;

    private final Random random = new Random(1);
    private final Door door = new Door();
    private final ConcurrentHashMap<String, Long> map = new ConcurrentHashMap<>();
    private final Cache<String, Long> caffeine = Caffeine.newBuilder().maximumSize(2 * USERS).build();
    private int users;

    private static String name(int user) {
        // Of two parts, so that no compiler makes a constant of it.
        return "user" + (10_000_000 + user);
    }

    @Override
    public List<Result> run(Scale scale) throws Exception {
        users = scale.of(USERS);
        // It is asked for by the first class of Openfire's that has settings.
        Path home = Files.createTempDirectory(Path.of(System.getProperty("bench.folder")), "home-");
        OpenfiresActivity.makeHome(home);
        try {
            return compare(scale);
        } finally {
            try (Stream<Path> all = Files.walk(home)) {
                all.sorted((a, b) -> b.compareTo(a)).forEach(each -> each.toFile().delete());
            }
        }
    }

    private List<Result> compare(Scale scale) throws Exception {
        OpenfiresActivity hits = new OpenfiresActivity(OpenfiresActivity.WITHOUT_LIMIT);
        OpenfiresActivity misses = new OpenfiresActivity(scale == Scale.FULL ? OpenfiresActivity.BY_DEFAULT : 1024);
        String[] names = new String[users];
        for (int user : Shuffle.of(users, 1)) {
            names[user] = name(user);
            Long time = System.currentTimeMillis();
            map.put(name(user), time);
            caffeine.put(name(user), time);
            hits.put(name(user), time);
            door.closed(loggedIn(user));
        }
        OpenfiresActivity.fillDatabase(names);
        List<Result> results = new ArrayList<>();
        results.addAll(lookups(scale, hits, misses, 1, 5));
        results.addAll(lookups(scale, hits, misses, 2, 8));
        results.add(hot(scale));
        results.addAll(updates(scale, hits));
        return results;
    }

    private long loggedIn(int user) {
        long token = door.open();
        door.bound(token, name(user) + "@example.org/phone", false);
        return token;
    }

    private String[] fresh(int count, int among) {
        String[] names = new String[count];
        for (int i = 0; i < count; i++) {
            names[i] = name(random.nextInt(among));
        }
        return names;
    }

    /**
     * Looks so many up on each of these threads at once. What it costs in total, per lookup. In life a lookup comes alone:
     * so that the processor does not begin the next ones while one waits for memory, who is next depends on the answer.
     */
    private static <T> double lookUp(List<T[]> keys, ToLongFunction<T> lookup) throws InterruptedException {
        long count = 0;
        List<Thread> threads = new ArrayList<>();
        for (T[] each : keys) {
            count += each.length;
            threads.add(new Thread(() -> {
                int i = 0;
                while (i < each.length) {
                    long answer = lookup.applyAsLong(each[i]);
                    if (answer < 0) {
                        throw new IllegalStateException("nobody is unknown");
                    }
                    // Times end in the far future: this is 1.
                    i += 1 + (int) (answer >>> 62);
                }
            }));
        }
        long start = System.nanoTime();
        threads.forEach(Thread::start);
        for (Thread thread : threads) {
            thread.join();
        }
        return (double) (System.nanoTime() - start) / count;
    }

    private List<String[]> names(int threads, int count, int among) {
        return Stream.generate(() -> fresh(count, among)).limit(threads).toList();
    }

    private List<User[]> people(int threads, int count) {
        return names(threads, count, users).stream()
                .map(each -> Stream.of(each).map(OpenfiresActivity::user).toArray(User[]::new))
                .toList();
    }

    private List<Result> lookups(Scale scale, OpenfiresActivity hits, OpenfiresActivity misses, int threads, int bar)
            throws Exception {
        int count = scale.of(LOOKUPS);
        Contest contest = new Contest();
        int ours = contest.add(() -> lookUp(names(threads, count, users), door::lastActivity));
        int hit = contest.add(() -> lookUp(people(threads, count), hits::get));
        int miss = contest.add(() -> lookUp(people(threads, scale.of(MISSES)), misses::get));
        int plain = contest.add(() -> lookUp(names(threads, count, users), map::get));
        int other = contest.add(() -> lookUp(names(threads, count, users), caffeine::getIfPresent));
        Stats[] all = contest.run(scale.rounds(30), scale.rounds(51));
        String what = "last activity, " + users + " users, " + threads + (threads == 1 ? " thread: " : " threads: ") + "ours / ";
        return List.of(
                Result.of(what + "Openfire's, a hit", "ns", all[ours], all[hit], 1.0 / bar),
                Result.of(what + "Openfire's, a miss", "ns", all[ours], all[miss], 1 / 40.0),
                Result.of(what + "ConcurrentHashMap", "ns", all[ours], all[plain], 1 / 2.0),
                Result.of(what + "Caffeine", "ns", all[ours], all[other], null));
    }

    private Result hot(Scale scale) throws Exception {
        int count = scale.of(LOOKUPS);
        Contest contest = new Contest();
        int ours = contest.add(() -> lookUp(names(1, count, HOT), door::lastActivity));
        int plain = contest.add(() -> lookUp(names(1, count, HOT), map::get));
        Stats[] all = contest.run(scale.rounds(30), scale.rounds(51));
        return Result.of("last activity, 1,000 hot names: ours / ConcurrentHashMap", "ns", all[ours], all[plain], 1.2);
    }

    private List<Result> updates(Scale scale, OpenfiresActivity openfire) throws Exception {
        int count = scale.of(ENDS);
        Contest contest = new Contest();
        int ours = contest.add(() -> {
            long[] tokens = new long[count];
            for (int i = 0; i < count; i++) {
                tokens[i] = loggedIn(random.nextInt(users));
            }
            // Sessions end long after they began.
            Caches.flush();
            return Contest.nanosPer(count, () -> {
                for (long token : tokens) {
                    door.closed(token);
                }
            });
        });
        int plain = contest.add(() -> write(count, map::put));
        int other = contest.add(() -> write(count, caffeine::put));
        int theirs = contest.add(() -> write(count, openfire::put));
        Stats[] all = contest.run(scale.rounds(30), scale.rounds(51));
        String what = "last activity at the end of a session: all of our close / ";
        return List.of(
                Result.of(what + "ConcurrentHashMap.put", "ns", all[ours], all[plain], 1.0),
                Result.of(what + "Caffeine's put", "ns", all[ours], all[other], null),
                Result.of(what + "Openfire's cache's put", "ns", all[ours], all[theirs], null));
    }

    private interface Store {
        void put(String name, Long time);
    }

    private double write(int count, Store store) {
        String[] names = fresh(count, users);
        Caches.flush();
        return Contest.nanosPer(count, () -> {
            for (String name : names) {
                store.put(name, System.currentTimeMillis());
            }
        });
    }
}
