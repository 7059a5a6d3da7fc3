package org.igniterealtime.openfire.plugin.heartbeat.web;

import org.igniterealtime.openfire.plugin.heartbeat.HeartbeatPlugin;

/** How last activity is kept, in words. */
public final class JournalState {
    private JournalState() {}

    /** For a plugin that is on. Why it is not on disk is said in the words of the system. */
    public static String of(HeartbeatPlugin plugin, Texts texts) {
        String trouble = plugin.journalTrouble();
        return trouble == null ? texts.of("journal-on-disk") : trouble;
    }
}
