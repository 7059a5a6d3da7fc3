/*
 * metrics.c - what the core counts, in the text format of Prometheus and as OpenMetrics 1.0, into a buffer of one size:
 * no allocation, and nothing that takes longer with more sessions.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core.h"

typedef struct text {
    char *at;
    size_t room;
    size_t length;
    bool open; /* OpenMetrics */
    bool full;
} text;

__attribute__((format(printf, 2, 3))) static void put(text *t, const char *format, ...)
{
    va_list arguments;

    if (t->full)
        return;
    va_start(arguments, format);
    int length = vsnprintf(t->at + t->length, t->room - t->length, format, arguments);
    va_end(arguments);
    t->full = length < 0 || (size_t)length >= t->room - t->length;
    t->length += t->full ? 0 : (size_t)length;
}

/* OpenMetrics calls a counter by its name, the older format by that of its only sample. */
static void family(text *t, const char *name, const char *type, const char *unit, const char *help)
{
    const char *suffix = strcmp(type, "counter") == 0 && !t->open ? "_total" : "";

    put(t, "# HELP heartbeat_%s%s %s\n# TYPE heartbeat_%s%s %s\n", name, suffix, help, name, suffix, type);
    if (t->open && unit[0])
        put(t, "# UNIT heartbeat_%s %s\n", name, unit);
}

static void gauge(text *t, const char *name, const char *unit, const char *help, uint64_t value)
{
    family(t, name, "gauge", unit, help);
    put(t, "heartbeat_%s %" PRIu64 "\n", name, value);
}

static void counter(text *t, const char *name, const char *help, uint64_t value)
{
    family(t, name, "counter", "", help);
    put(t, "heartbeat_%s_total %" PRIu64 "\n", name, value);
}

static void put_sessions(text *t, const hb_core *core)
{
    family(t, "sessions", "gauge", "", "Sessions that are open or may be resumed, by state.");
    for (int phase = HB_CONNECTED; phase <= HB_CLOSED; phase++)
        put(t, "heartbeat_sessions{state=\"%s\"} %" PRIu32 "\n", hb_phase_name((hb_phase)phase),
            hb_core_phase(core, (hb_phase)phase));
}

static void put_disconnects(text *t, const hb_counts *c)
{
    family(t, "disconnects", "counter", "", "Sessions that were closed or cut, by reason.");
    for (int why = 0; why < HB_WHY_COUNT; why++) {
        /* Those that can come are there from the begin, so that a rate can be told of the first. */
        bool usual =
            why == HB_WHY_NO_ANSWER || why == HB_WHY_SILENT || why == HB_WHY_NOT_LOGGED_IN || why == HB_WHY_ADMIN;
        if (usual || c->disconnects[why])
            put(t, "heartbeat_disconnects_total{reason=\"%s\"} %" PRIu64 "\n", hb_reason_name((hb_reason)why),
                c->disconnects[why]);
    }
}

static void put_round_trips(text *t, const hb_counts *c)
{
    const char *name = "heartbeat_ping_round_trip_seconds";
    uint64_t count = 0;

    family(t, "ping_round_trip_seconds", "histogram", "seconds", "Time from a ping to its answer.");
    for (size_t i = 0; i < HB_RTT_BUCKETS; i++) {
        count += c->rtt[i];
        if (i < HB_RTT_BUCKETS - 1)
            put(t, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name, HB_RTT_BOUNDS_US[i] / 1e6, count);
        else
            put(t, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, count);
    }
    put(t, "%s_sum %" PRIu64 ".%06" PRIu64 "\n%s_count %" PRIu64 "\n", name, c->rtt_us / 1000000, c->rtt_us % 1000000,
        name, count);
}

static void put_journal(text *t, const hb_journal_report *r)
{
    gauge(t, "journal_on_disk", "", "1 while last activity is kept on disk, 0 while it is in memory only.", r->on_disk);
    gauge(t, "journal_entries", "", "Records in the files that are read at the next start.", r->entries);
    gauge(t, "journal_bytes", "bytes", "Size of these files.", r->bytes);
    family(t, "journal_written_bytes", "counter", "bytes", "Bytes that were written to files of last activity.");
    put(t, "heartbeat_journal_written_bytes_total %" PRIu64 "\n", r->written);
    family(t, "journal_flushed_timestamp_seconds", "gauge", "seconds", "When everything was on disk; 0: never was.");
    put(t, "heartbeat_journal_flushed_timestamp_seconds %" PRId64 ".%03" PRId64 "\n", r->flushed_ms / 1000,
        r->flushed_ms % 1000);
}

static void put_all(text *t, const hb_core *core)
{
    hb_counts counts;
    const hb_counts *c = &counts;

    hb_core_counts(core, &counts);
    if (t->open)
        put(t, "# HELP heartbeat_build The native library.\n# TYPE heartbeat_build info\n");
    else
        put(t, "# HELP heartbeat_build_info The native library.\n# TYPE heartbeat_build_info gauge\n");
    put(t, "heartbeat_build_info{version=\"%s\"} 1\n", hb_version());
    put_sessions(t, core);
    gauge(t, "users", "", "Users whose last activity is known.", core->users.count);
    gauge(t, "memory_bytes", "bytes", "Native memory of sessions and users.", hb_core_bytes(core));
    gauge(t, "stopped", "", "1 while the server is stopping, and nobody is pinged, closed or told.", core->stopped);
    counter(t, "connections", "Connections that were opened.", c->opened);
    counter(t, "sessions_ended", "Sessions that are over.", c->over);
    counter(t, "pings", "Pings that were sent.", c->pings);
    counter(t, "ping_answers", "Answers that fit a ping.", c->pongs);
    counter(t, "forged_answers", "Answers that look like one to a ping, and are not or come twice.", c->forged_pongs);
    counter(t, "spared", "Decisions that were called off because the client spoke.", c->spared);
    put_disconnects(t, c);
    counter(t, "aborts", "Connections that were dropped because their close did not come to its end.", c->aborts);
    counter(t, "contacts_told", "Sessions whose contacts the plugin told, because nobody else had.", c->told);
    counter(t, "resumed", "Sessions that went on over another connection.", c->resumed);
    counter(t, "idle_events", "Sessions that Openfire's own idle timer found silent.", c->idle_events);
    counter(t, "stale_events", "Events for sessions that were over.", c->stale);
    counter(t, "stalls", "Times that the ticking thread slept too long.", core->clock.stall_count);
    family(t, "slept_seconds", "counter", "seconds", "Time that the ticking thread slept too long.");
    put(t, "heartbeat_slept_seconds_total %" PRId64 ".%06" PRId64 "\n", core->clock.slept_us / 1000000,
        core->clock.slept_us % 1000000);
    put_round_trips(t, c);
    put_journal(t, &core->report);
    if (t->open)
        put(t, "# EOF\n");
}

int hb_core_metrics(hb_core *core, bool openmetrics, char *out, size_t capacity, size_t *length)
{
    text t = {.room = capacity, .open = openmetrics};

    t.at = out;
    (void)hb_last_fetch_all(core); /* to count them */
    hb_core_lock(core);
    put_all(&t, core);
    hb_core_unlock(core);
    if (t.full)
        return HB_EFULL;
    *length = t.length;
    return HB_OK;
}
