package org.igniterealtime.openfire.plugin.heartbeat;

import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.sql.SQLException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.jivesoftware.openfire.SessionManager;
import org.jivesoftware.util.cache.Cache;
import org.jivesoftware.util.cache.CacheFactory;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has Openfire itself know what the core knows of who is not online: its table {@code ofPresence}, and its cache of it. So
 * {@code PresenceManager.getLastActivity} and the console's page of a user tell the same time as the core.
 *
 * <p>Openfire writes a time of its own when the last unavailable presence of a user is broadcast. It is corrected when that is
 * over, and looked at again later. What was missed, as in a crash or in the end of the server, is found at the start, when
 * all users are gone through.
 *
 * <p>Threads: one of its own waits for the database, and for nothing else of Openfire; everybody else leaves a note. What fails
 * is logged once and tried again.
 */
final class OfflineTimes implements LastActivityListener, AutoCloseable {
    private static final Logger Log = LoggerFactory.getLogger(OfflineTimes.class);

    /** By this name every part of Openfire gets the same one. */
    private static final String CACHE = "Last Activity Cache";

    /** In the plugin's folder: until when rows of the table are not newer than what the core knows. */
    static final String PRESENT = "present-until";

    private static final long EVERY_MS = 500;

    /** From the end of a session until Openfire has written its time: presence may be routed by us two ticks later. */
    private static final long SETTLE_MS = 3_000;

    private static final long LOOK_AGAIN_MS = 10_000;

    /** Somebody else writes other times. */
    private static final int MOST_LOOKS = 5;

    private static final int BATCH = 500;

    /** With more than these, all users are gone through. */
    private static final int MOST_WAITING = 100_000;

    private static final long TRY_AGAIN_MS = 5_000;
    private static final long LAST_TRY_AGAIN_MS = 60_000;
    private static final long PRESENT_EVERY_MS = 10_000;
    private static final long PRESENT_FOR_MS = 20_000;

    /** While a server stops, Openfire goes on writing for some time. */
    private static final long STOPPING_FOR_MS = 600_000;

    /** From the end of a session until Openfire has written its time, at the very most: many may end at once. */
    private static final long LATE_MS = 600_000;

    /** What the last words of it may take, and what is waited for them. */
    private static final long LAST_MS = 3_000;

    private static final long END_MS = 5_000;

    private static final class Waiting {
        final String user;
        final int looks;
        final long dueNs;

        Waiting(String user, int looks, long inMs) {
            this.user = user;
            this.looks = looks;
            dueNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(inMs);
        }
    }

    private final NativeCore core;
    private final Path present;
    private final BooleanSupplier isKept;
    private final PresenceTable table = new PresenceTable();
    private final CountDownLatch end = new CountDownLatch(1);
    private final Thread thread = new Thread(this::run, "heartbeat-offline-times");

    /** Whose session ended a moment ago, and who is to be looked at again; the first is due first. Guarded by this. */
    private final Deque<Waiting> fresh = new ArrayDeque<>();

    private final Deque<Waiting> again = new ArrayDeque<>();

    /** All users are to be gone through. Guarded by this. */
    private boolean all = true;

    /** Which of the times the policy has told. Guarded by this. */
    private String which;

    /** Of {@link #knowsMore}; -1: nothing. Guarded by this. */
    private long knownUntilMs = -1;

    /** When the server began to stop; 0: it does not. */
    private volatile long stoppingMs;

    // Of the thread.

    /** Whose rows are to be looked at now. */
    private final Deque<Waiting> due = new ArrayDeque<>();

    /** Rows that are newer are Openfire's own; -1: they were taken over. */
    private long takeOverFromMs;

    private long startedMs;

    /** From here on rows may be of the last stop of this server: Openfire writes then, for all who are online. */
    private long stopFromMs;

    private long stopUntilMs;

    /** Where going through all users goes on; 0: it is not under way. */
    private int at;

    private long nextTryNs = System.nanoTime();
    private long pauseMs = TRY_AGAIN_MS;
    private boolean trouble;
    private long nextPresentNs = System.nanoTime();
    private final WallClock wall = new WallClock(LATE_MS, System.currentTimeMillis(), System.nanoTime());

    /** @param isKept whether what the core knows is on disk */
    OfflineTimes(NativeCore core, File folder, BooleanSupplier isKept) {
        this.core = core;
        this.isKept = isKept;
        present = new File(folder, PRESENT).toPath();
        thread.setDaemon(true);
    }

    /** @param whole whether the core has all that it ever knew; else Openfire is asked for the rest */
    void start(boolean whole) {
        startedMs = System.currentTimeMillis();
        stopUntilMs = presentUntil();
        // Written when it was over, some time after Openfire wrote. Without the file it may have been at any time.
        stopFromMs = Files.exists(present) ? stopUntilMs - 2 * STOPPING_FOR_MS : 0;
        takeOverFromMs = whole ? stopUntilMs : 0;
        thread.start();
    }

    @Override
    public void ended(List<UserActivity> users) {
        for (UserActivity user : users) {
            note(user.user());
        }
    }

    @Override
    public void erased(List<String> users) {
        users.forEach(this::note);
    }

    @Override
    public synchronized void missed() {
        all = true;
    }

    private synchronized void note(String user) {
        if (fresh.size() >= MOST_WAITING) {
            fresh.clear();
            all = true;
        }
        fresh.add(new Waiting(user, 0, SETTLE_MS));
    }

    /** Which time the policy tells may be another one. */
    void policyChanged() {
        String now = PolicyProperty.lastActivity(core);
        synchronized (this) {
            all = all || (which != null && !which.equals(now));
            which = now;
        }
    }

    /**
     * What was kept could be read, after the start: of who was not here since, the core knows what it knew before.
     *
     * @param whole as of {@link #start}
     */
    synchronized void knowsMore(boolean whole) {
        knownUntilMs = whole ? presentUntil() : 0;
        all = true;
    }

    void serverStopping() {
        stoppingMs = System.currentTimeMillis();
    }

    /** Returns when what waits was done, or after some seconds. */
    @Override
    public void close() {
        end.countDown();
        try {
            // It is not interrupted: a database within this process would not bear it.
            thread.join(END_MS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    // ---- The thread.

    private void run() {
        while (sleep()) {
            try {
                if (!lookAtClock()) {
                    continue;
                }
                tellPresent(false);
                takeDue();
                while (!isStopped() && System.nanoTime() - nextTryNs >= 0 && work()) {
                    takeDue();
                    tellPresent(false);
                }
            } catch (SQLException | RuntimeException | LinkageError | OutOfMemoryError e) {
                failed(e);
            }
        }
        if (!lookAtClock()) {
            return;
        }
        try {
            last();
        } catch (SQLException | RuntimeException | LinkageError | OutOfMemoryError e) {
            Log.info("Openfire's table of offline times is corrected at the next start: {}", e.toString());
        } finally {
            tellPresent(true);
        }
    }

    /**
     * Whether the time is known; what is known is not made to fit a clock that was not set yet. If it was set back the rows
     * of all who went before say what it was then: now they are of the future, later they would be taken for another's.
     */
    private boolean lookAtClock() {
        long wallMs = System.currentTimeMillis();
        if (wall.wasSetBack(wallMs, System.nanoTime())) {
            missed();
        }
        return WallClock.isSet(wallMs);
    }

    /** Whether to go on. */
    private boolean sleep() {
        try {
            return !end.await(EVERY_MS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            return !isStopped();
        }
    }

    private boolean isStopped() {
        return end.getCount() == 0;
    }

    private void failed(Throwable e) {
        if (!trouble && e instanceof SQLException) {
            Log.error("Openfire's table of offline times can not be read or written; it is tried again: {}", e.toString());
        } else if (!trouble) {
            Log.error("Openfire's table of offline times could not be corrected; it is tried again", e);
        }
        trouble = true;
        nextTryNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(pauseMs);
        pauseMs = Math.min(2 * pauseMs, LAST_TRY_AGAIN_MS);
    }

    private void succeeded() {
        if (trouble) {
            Log.info("Openfire's table of offline times is written again");
        }
        trouble = false;
        pauseMs = TRY_AGAIN_MS;
    }

    /** Those whose time has come: first the cache, which is there even if the database is not. */
    private void takeDue() {
        List<Waiting> taken = new ArrayList<>();
        synchronized (this) {
            long now = System.nanoTime();
            take(fresh, now, taken);
            take(again, now, taken);
        }
        due.addAll(taken);
        if (due.size() > MOST_WAITING) {
            due.clear();
            missed();
        }
        // Whom a cache that fails keeps from it has another look.
        for (Waiting each : taken) {
            UserActivity last = core.last(each.user);
            if (last == null && !core.isClosed()) {
                cache().remove(each.user);
            } else if (last != null && last.lastActivityMs() > 0 && !isOnline(last)) {
                keepInCache(each.user, last.lastActivityMs());
            }
        }
    }

    private static void take(Deque<Waiting> from, long now, List<Waiting> to) {
        while (!from.isEmpty() && now - from.peek().dueNs >= 0) {
            to.add(from.poll());
        }
    }

    /** Something of what there is to do; whether there was anything. */
    private boolean work() throws SQLException {
        noteWhatIsKnown();
        if (takeOverFromMs >= 0) {
            takeOver();
            takeOverFromMs = -1;
            succeeded();
            return true;
        }
        if (!due.isEmpty()) {
            lookAtDue();
            succeeded();
            return true;
        }
        if (goesThroughAll()) {
            goOn();
            succeeded();
            return true;
        }
        return false;
    }

    private synchronized void noteWhatIsKnown() {
        if (knownUntilMs >= 0) {
            // If it was not yet done for the start, there is nothing that is known of the time before.
            takeOverFromMs = takeOverFromMs < 0 ? knownUntilMs : Math.min(takeOverFromMs, knownUntilMs);
            knownUntilMs = -1;
        }
    }

    private synchronized boolean goesThroughAll() {
        if (all) {
            all = false;
            at = 0;
            return true;
        }
        return at != 0;
    }

    /** What Openfire noted while nobody told the core. */
    private void takeOver() throws SQLException {
        int[] count = new int[1];
        table.later(takeOverFromMs, (user, ms) -> {
            // Later is what the core was told itself.
            if (ms < startedMs && (core.importUser(user, ms, null) || core.catchUp(user, ms))) {
                count[0]++;
            }
        });
        if (count[0] > 0) {
            Log.info("Last activity of {} users was taken over from Openfire: it is younger than what was known", count[0]);
        }
    }

    private void lookAtDue() throws SQLException {
        List<Waiting> batch = new ArrayList<>();
        List<String> users = new ArrayList<>();
        while (batch.size() < BATCH && !due.isEmpty()) {
            Waiting each = due.poll();
            batch.add(each);
            users.add(each.user);
        }
        List<String> changed;
        try {
            changed = agree(users, false);
        } catch (SQLException | RuntimeException | LinkageError | OutOfMemoryError e) {
            batch.forEach(due::addFirst);
            throw e;
        }
        synchronized (this) {
            for (Waiting each : batch) {
                if (each.looks == 0 || (each.looks < MOST_LOOKS && changed.contains(each.user))) {
                    again.add(new Waiting(each.user, each.looks + 1, LOOK_AGAIN_MS));
                }
            }
        }
    }

    /** Goes on with all users, a page of them. */
    private void goOn() throws SQLException {
        int from = at;
        List<String> users = new ArrayList<>();
        int next = page(from, users, false);
        List<String> changed;
        try {
            changed = users.isEmpty() ? users : agree(users, false);
        } catch (SQLException | RuntimeException | LinkageError | OutOfMemoryError e) {
            if (from == 0) {
                missed();
            }
            throw e;
        }
        for (String user : changed) {
            UserActivity last = core.last(user);
            // Of those who are not in it Openfire reads the row.
            if (last != null && !isOnline(last) && cache().get(user) != null) {
                keepInCache(user, last.lastActivityMs());
            }
        }
        at = next;
        if (!changed.isEmpty()) {
            Log.debug("Openfire's table had other times of {} users", changed.size());
        }
    }

    /** Of some users the names of those who are offline, or who are to have a time at the end. Where to go on; 0: nowhere. */
    private int page(int from, List<String> users, boolean atTheEnd) {
        byte[] page = core.each(from);
        if (page == null) {
            if (!core.isClosed()) {
                throw new OutOfMemoryError("no memory for a page of users");
            }
            return 0;
        }
        for (UserActivity user : UserActivity.readAll(page, Integer.BYTES)) {
            boolean wanted = atTheEnd ? user.isOnline() || user.offlineMs() >= stoppingMs : !user.isOnline();
            if (wanted) {
                users.add(user.user());
            }
        }
        return ByteBuffer.wrap(page).order(ByteOrder.nativeOrder()).getInt();
    }

    /**
     * Has the table say what the core knows of these users, or the core what it says of a session that nobody told of; who
     * they were that it said something else of.
     *
     * @param atTheEnd of those who are online, too: for the server ends
     */
    private List<String> agree(List<String> users, boolean atTheEnd) throws SQLException {
        Map<String, String> rows = table.of(users);
        List<PresenceTable.Change> changes = new ArrayList<>();
        List<String> erased = new ArrayList<>();
        List<String> takenOver = new ArrayList<>();
        for (String user : users) {
            UserActivity last = core.last(user);
            String row = rows.get(user);
            if (last == null) {
                if (row != null && !core.isClosed()) {
                    erased.add(user);
                }
                continue;
            }
            if (!atTheEnd && isOnline(last)) {
                if (row != null) {
                    // Back so soon that Openfire wrote when they went after it had taken the row away.
                    table.delete(user, row);
                }
                continue;
            }
            if (!atTheEnd && isAnothers(row, last)) {
                if (core.catchUp(user, PresenceTable.time(row))) {
                    takenOver.add(user);
                }
                continue;
            }
            String ours = PresenceTable.digits(last.lastActivityMs());
            if (last.lastActivityMs() > 0 && !ours.equals(row)) {
                changes.add(new PresenceTable.Change(user, row, ours));
            }
        }
        if (!changes.isEmpty()) {
            table.write(changes);
        }
        for (String user : erased) {
            table.delete(user);
        }
        for (PresenceTable.Change change : changes) {
            check(change, atTheEnd);
        }
        if (!takenOver.isEmpty()) {
            Log.debug("Last activity of {} was taken over from Openfire's table: nobody told of it here", takenOver);
        }
        takenOver.addAll(PresenceTable.users(changes));
        return takenOver;
    }

    /**
     * Whether the row is of a session that the core never heard of, as of one at another server of a cluster. Openfire's own
     * time of what the core did hear of is of a moment after its end, or of the last stop of this server.
     */
    static boolean isAnothers(long rowMs, long endMs, long stopFromMs, long stopUntilMs, long nowMs) {
        return rowMs - endMs > LATE_MS && (rowMs < stopFromMs || rowMs > stopUntilMs) && rowMs <= nowMs;
    }

    private boolean isAnothers(String row, UserActivity last) {
        long end = Math.max(last.lastReadMs(), last.offlineMs());
        return row != null
                && stoppingMs == 0
                && isAnothers(PresenceTable.time(row), end, stopFromMs, stopUntilMs, System.currentTimeMillis());
    }

    /** Who came, or was erased, while the row was written: Openfire had taken it away before. */
    private void check(PresenceTable.Change change, boolean atTheEnd) throws SQLException {
        UserActivity last = core.last(change.user);
        if (last == null ? !core.isClosed() : !atTheEnd && last.isOnline()) {
            table.delete(change.user, change.after);
        }
    }

    /** As Openfire has it too: in a cluster a user may be online at another server of it. */
    private static boolean isOnline(UserActivity user) {
        return user.isOnline() || SessionManager.getInstance().getActiveSessionCount(user.user()) > 0;
    }

    private static Map<String, Long> cache() {
        Cache<String, Long> cache = CacheFactory.createCache(CACHE);
        return cache;
    }

    private void keepInCache(String user, long ms) {
        cache().put(user, ms);
        UserActivity now = core.last(user);
        if (now == null ? !core.isClosed() : now.isOnline()) {
            // Openfire took it away before we put it there.
            cache().remove(user, ms);
        }
    }

    // ---- The end, and what is left for the next start.

    /** What can be done in the time that is left. The next start does the rest. */
    private void last() throws SQLException {
        long endNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(LAST_MS);
        if (trouble) {
            return;
        }
        if (stoppingMs == 0) {
            synchronized (this) {
                due.addAll(fresh);
            }
            while (!due.isEmpty() && System.nanoTime() - endNs < 0) {
                lookAtDue();
            }
            return;
        }
        int next = 0;
        do {
            List<String> users = new ArrayList<>();
            next = page(next, users, true);
            if (!users.isEmpty()) {
                agree(users, true);
            }
        } while (next != 0 && System.nanoTime() - endNs < 0);
    }

    private long presentUntil() {
        try {
            return Long.parseLong(new String(Files.readAllBytes(present), StandardCharsets.UTF_8).trim());
        } catch (IOException | NumberFormatException e) {
            // As a version before this one leaves it: then what the core knows holds.
            return System.currentTimeMillis();
        }
    }

    /** Openfire's rows up to a moment from now are of a time at which the core was told. */
    private void tellPresent(boolean end) {
        if (!end && System.nanoTime() - nextPresentNs < 0) {
            return;
        }
        nextPresentNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(PRESENT_EVERY_MS);
        if (!isKept.getAsBoolean()) {
            // The next start knows nothing of this time but from Openfire's rows.
            return;
        }
        long until = System.currentTimeMillis();
        if (end) {
            until += stoppingMs == 0 ? 0 : STOPPING_FOR_MS;
        } else {
            until += PRESENT_FOR_MS;
        }
        try {
            Path written = present.resolveSibling(PRESENT + ".new");
            Files.write(written, Long.toString(until).getBytes(StandardCharsets.UTF_8));
            Files.move(written, present, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            // The journal, which lies beside it, says what is wrong.
            Log.debug("{} could not be written: {}", present, e.toString());
        }
    }
}
