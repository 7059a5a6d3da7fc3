package org.igniterealtime.openfire.plugin.heartbeat.web;

import java.util.List;
import java.util.concurrent.TimeUnit;
import org.igniterealtime.openfire.plugin.heartbeat.LastActivityService;
import org.igniterealtime.openfire.plugin.heartbeat.UserActivity;

/** Which users the page and the export of last activity are asked for, as their addresses say it. */
final class UsersQuery {
    private static final long MOST_DAYS = 36_500;

    /** A part of the name; empty: all. */
    final String part;

    /** Only those not seen for so many days, longest ago first; 0: all, by name. */
    final long days;

    UsersQuery(Visit visit) {
        part = visit.parameter("q");
        days = visit.number("days", 1, MOST_DAYS, 0);
    }

    private UsersQuery(String part, long days) {
        this.part = part;
        this.days = days;
    }

    /** The same for other days. */
    UsersQuery notSeenFor(long otherDays) {
        return new UsersQuery(part, otherDays);
    }

    /** Users that come after this one; after null the first ones. */
    List<UserActivity> list(LastActivityService service, String afterUser, long afterMs, int limit) {
        LastActivityService.Query query = new LastActivityService.Query().after(afterUser, afterMs);
        if (!part.isEmpty()) {
            query.containing(part);
        }
        if (days > 0) {
            query.notSeenSince(System.currentTimeMillis() - TimeUnit.DAYS.toMillis(days)).byLastRead();
        }
        return service.list(query, limit);
    }

    /** Where this is asked for. */
    Address address(String page) {
        Address address = new Address(page);
        if (!part.isEmpty()) {
            address.with("q", part);
        }
        if (days > 0) {
            address.with("days", Long.toString(days));
        }
        return address;
    }
}
