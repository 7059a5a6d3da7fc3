package org.igniterealtime.openfire.heartbeat.micro;

import java.util.ArrayList;
import java.util.List;
import org.apache.mina.core.filterchain.IoFilterChain;
import org.igniterealtime.openfire.plugin.heartbeat.Door;
import org.igniterealtime.openfire.plugin.heartbeat.Watched;
import org.igniterealtime.openfire.plugin.heartbeat.mina.MinaDoor;

/**
 * What a read costs on MINA: our two filters, and what MINA itself writes down of each read: bytes and messages, of the
 * session and of its service, each with the time.
 */
final class MinaReads implements Group {
    private static final int FEW = 256;
    private static final int MANY = 30_000;
    private static final int READS = 120_000;
    private static final int IDLE_SECONDS = 180;
    private static final int BYTES = 100;

    private final String mina;
    private final Door door = new Door();

    MinaReads(String mina) {
        this.mina = mina;
    }

    @Override
    public List<Result> run(Scale scale) throws Exception {
        List<Result> results = new ArrayList<>();
        results.addAll(run(scale, FEW, "few sessions"));
        results.addAll(run(scale, scale.of(MANY), "many sessions"));
        return results;
    }

    private List<Result> run(Scale scale, int count, String where) throws Exception {
        int reads = scale.of(READS);
        QuietSession.Service service = new QuietSession.Service();
        Watched[] watched = new Watched[count];
        QuietSession[] sessions = new QuietSession[count];
        IoFilterChain[] without = new IoFilterChain[count];
        IoFilterChain[] with = new IoFilterChain[count];
        for (int at : Shuffle.of(count, count)) {
            watched[at] = door.watch();
            sessions[at] = service.open(IDLE_SECONDS);
            without[at] = service.open(IDLE_SECONDS).getFilterChain();
            QuietSession ours = service.open(IDLE_SECONDS);
            MinaDoor.watch(ours, door.sessions());
            with[at] = ours.getFilterChain();
        }

        Contest contest = new Contest();
        int store = contest.add(() -> Contest.nanosPer(reads, () -> {
            for (int i = 0; i < reads; i++) {
                watched[i % count].read();
            }
        }));
        int notes = contest.add(() -> Contest.nanosPer(reads, () -> {
            for (int i = 0; i < reads; i++) {
                QuietSession session = sessions[i % count];
                session.increaseReadBytes(BYTES, System.currentTimeMillis());
                session.increaseReadMessages(System.currentTimeMillis());
            }
        }));
        int bare = contest.add(() -> read(without, reads));
        int ours = contest.add(() -> read(with, reads));
        Stats[] all = contest.run(scale.rounds(60), scale.rounds(101));
        Contest.consumed = service.messages();

        boolean few = count == FEW;
        String name = "a read on " + mina + ", " + where + ": ";
        return List.of(
                Result.of(name + "the store / MINA's own notes", "ns", all[store], all[notes], few ? 1 / 20.0 : null),
                Result.of(name + "our filters / MINA's own notes", "ns", all[ours].minus(all[bare]), all[notes], 1.0),
                Result.of(name + "a filter chain with / without ours", "ns", all[ours], all[bare], null));
    }

    private static double read(IoFilterChain[] chains, int reads) {
        return Contest.nanosPer(reads, () -> {
            for (int i = 0; i < reads; i++) {
                chains[i % chains.length].fireMessageReceived("x");
            }
        });
    }
}
