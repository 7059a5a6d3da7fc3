/* status.c - the state as JSON. Keys and units: docs/status.md. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core.h"
#include "journal.h"

/* Pings, and others, that hb_core_why tells at most: of a full JID, and of all sessions of a user. */
#define WHY_LIST 64
#define WHY_LIST_USER 256

const char *hb_strerror(int code)
{
    switch (code) {
#define X(name, value, text)                                                                                           \
    case name:                                                                                                         \
        return text;
        HB_ERRORS(X)
#undef X
    default:
        return "unknown error";
    }
}

const char *hb_version(void)
{
    return HB_VERSION;
}

/* Text from outside. What is not UTF-8 shows as question marks. */
static json_t *text_json(const char *text, size_t length)
{
    json_t *json = json_stringn(text, length);

    if (json)
        return json;
    char *copy = malloc(length ? length : 1);
    if (!copy)
        return NULL;
    for (size_t i = 0; i < length; i++)
        copy[i] = (char)((unsigned char)text[i] < 0x80 ? text[i] : '?');
    json = json_stringn(copy, length);
    free(copy);
    return json;
}

/* Sets a key of an object that is being built. If that fails, or either is NULL, there is no object any more. */
static json_t *with(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) == 0)
        return object;
    json_decref(object);
    return NULL;
}

/* A value of the policy as it stands there. */
static json_t *value_json(const hb_policy_key *key, uint32_t value)
{
    char text[HB_DURATION_TEXT] = "0s";

    switch (key->kind) {
    case HB_KEY_DURATION:
        if (value || key->off)
            hb_duration_print(value, text);
        return json_string(text);
    case HB_KEY_SWITCH:
        return json_boolean(value);
    case HB_KEY_CHOICE:
        return json_string(key->words ? key->words[value] : NULL);
    default:
        return json_integer(value);
    }
}

static json_t *policy_json(const hb_policy *policy)
{
    size_t count = 0;
    const hb_policy_key *keys = hb_policy_keys(&count);
    json_t *json = json_object();

    for (size_t i = 0; i < count; i++)
        json = with(json, keys[i].name, value_json(&keys[i], hb_policy_get(policy, &keys[i])));
    return json;
}

static json_t *phases_json(const hb_core *core)
{
    json_t *json = json_object();
    json_int_t total = 0;

    for (int phase = HB_CONNECTED; phase <= HB_CLOSED; phase++) {
        uint32_t sessions = hb_core_phase(core, (hb_phase)phase);
        total += sessions;
        json = with(json, hb_phase_name((hb_phase)phase), json_integer(sessions));
    }
    return with(json, "total", json_integer(total));
}

static json_t *counts_json(const hb_core *core)
{
    hb_counts c;

    hb_core_counts(core, &c);
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "opened", (json_int_t)c.opened,
        "over", (json_int_t)c.over, "idle_events", (json_int_t)c.idle_events, "pings", (json_int_t)c.pings, "pongs",
        (json_int_t)c.pongs, "forged_pongs", (json_int_t)c.forged_pongs, "spared", (json_int_t)c.spared, "closes",
        (json_int_t)c.closes, "cuts", (json_int_t)c.cuts, "aborts", (json_int_t)c.aborts, "told", (json_int_t)c.told,
        "resumed", (json_int_t)c.resumed, "stale_events", (json_int_t)c.stale, "stalls",
        (json_int_t)core->clock.stall_count, "slept_s", (json_int_t)(core->clock.slept_us / HB_CLOCK_TICK_US));
}

size_t hb_core_bytes(const hb_core *core)
{
    return sizeof *core + sizeof *core->series + HB_TRACE_RINGS * (HB_TRACES * sizeof(hb_trace) + HB_TRACE_RESOURCES) +
           (core->page_count - core->vacancies) * sizeof(hb_page) +
           core->page_count *
               (sizeof(hb_page *) + sizeof(hb_shelf) + HB_PAGE_BLOCKS * (sizeof(hb_block) + sizeof *core->soonest)) +
           core->jid_bytes + core->users.bytes;
}

/* A text, or null where it is empty. */
static json_t *words_or_null(const char *text)
{
    return text[0] ? text_json(text, strlen(text)) : json_null();
}

static json_t *journal_json(const hb_journal_report *r)
{
    const char *state = !r->folder[0] ? "off" : r->on_disk ? "on disk" : "memory only";

    return json_pack("{s:s, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:i}", "state", state, "reason",
                     words_or_null(r->reason), "folder", words_or_null(r->folder), "key", words_or_null(r->key),
                     "entries", (json_int_t)r->entries, "bytes", (json_int_t)r->bytes, "written_bytes",
                     (json_int_t)r->written, "flushed_ms", r->flushed_ms ? json_integer(r->flushed_ms) : json_null(),
                     "format", (int)HB_JOURNAL_VERSION);
}

static json_t *summary_json(const hb_core *core)
{
    return json_pack("{s:s, s:I, s:b, s:o, s:o, s:I, s:o, s:I, s:o}", "version", hb_version(), "tick",
                     (json_int_t)core->clock.tick, "stopped", (int)core->stopped, "policy", policy_json(&core->policy),
                     "sessions", phases_json(core), "users", (json_int_t)core->users.count, "counts", counts_json(core),
                     "memory_bytes", (json_int_t)hb_core_bytes(core), "journal", journal_json(&core->report));
}

static json_t *session_json(hb_core *core, size_t page_at, size_t i)
{
    const hb_page *page = core->pages[page_at];
    hb_session session = page->slots[i].session;
    const hb_jid *jid = hb_jid_of(page, i);
    uint32_t slot = (uint32_t)(page_at * HB_PAGE_CELLS + i);

    if (hb_recording(core))
        hb_record_see(core, slot);
    hb_moment moment = hb_slot_moment(core, slot);
    session = hb_session_seen(session, &moment);
    json_t *json =
        json_pack("{s:s, s:s, s:b, s:I, s:i, s:o, s:o, s:s}", "transport", hb_transport_name(hb_transport_of(page, i)),
                  "state", hb_phase_name((hb_phase)session.phase), "available", (session.flags & HB_S_AVAILABLE) != 0,
                  "silent_s", (json_int_t)(core->clock.tick - moment.read), "pings", (int)session.pings, "rtt_us",
                  page->slots[i].answered_us ? json_integer(page->slots[i].rtt_us) : json_null(), "answered_us",
                  page->slots[i].answered_us ? json_integer(page->slots[i].answered_us) : json_null(), "why",
                  hb_reason_name((hb_reason)session.why));
    return jid ? with(json, "jid", text_json(jid->text, jid->length)) : json;
}

static int add_sessions(hb_core *core, json_t *list)
{
    int code = 0;

    /* A lock per page: events must not wait for a long list. */
    for (size_t p = 0; code == 0; p++) {
        hb_core_lock(core);
        bool last = p >= core->page_count;
        for (size_t i = 0; !last && code == 0 && i < HB_PAGE_CELLS; i++) {
            if (core->pages[p]->slots[i].session.phase != HB_FREE)
                code = json_array_append_new(list, session_json(core, p, i));
        }
        hb_core_unlock(core);
        if (last)
            break;
    }
    return code;
}

static json_t *decisions_json(const hb_core *core)
{
    json_t *list = json_array();
    uint64_t first = core->decision_count > HB_DECISIONS ? core->decision_count - HB_DECISIONS : 0;

    for (uint64_t n = first; n < core->decision_count; n++) {
        const hb_decision *d = &core->decisions[n % HB_DECISIONS];
        json_t *json = json_pack("{s:I, s:I, s:o, s:s, s:s, s:s}", "number", (json_int_t)n, "ago_s",
                                 (json_int_t)(core->clock.tick - d->tick), "jid", text_json(d->jid, d->jid_length),
                                 "action", hb_verb_name((hb_verb)d->verb), "why", hb_reason_name((hb_reason)d->why),
                                 "meaning", hb_reason_text((hb_reason)d->why));
        if (json_array_append_new(list, json) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/*
 * Prints and frees a document; NULL stands for one that could not be built. Into room of the right size: json_dumps
 * takes no notice when it can not grow its own, and leaves things out.
 */
static int print(json_t *document, char **json, size_t *length)
{
    size_t size = document ? json_dumpb(document, NULL, 0, JSON_COMPACT) : 0;
    char *text = size ? malloc(size + 1) : NULL;

    if (text && json_dumpb(document, text, size, JSON_COMPACT) != size) {
        free(text);
        text = NULL;
    }
    json_decref(document);
    if (!text)
        return HB_ENOMEM;
    text[size] = '\0';
    *json = text;
    *length = size;
    return HB_OK;
}

int hb_core_status(hb_core *core, bool detail, char **json, size_t *length)
{
    (void)hb_last_fetch_all(core); /* to count them */
    hb_core_lock(core);
    json_t *document = summary_json(core);
    json_t *decisions = detail ? decisions_json(core) : NULL;
    hb_core_unlock(core);

    if (detail) {
        json_t *list = json_array();
        if (list && add_sessions(core, list) < 0) {
            json_decref(list);
            list = NULL;
        }
        document = with(with(document, "list", list), "decisions", decisions);
    }
    return print(document, json, length);
}

int hb_core_last_activity_json(hb_core *core, const char *user, size_t length, char **json, size_t *json_length)
{
    hb_activity activity;

    hb_core_lock(core);
    int code = hb_last_fetch(core, hb_users_hash(&core->users, user, length));
    int found = code < 0 ? code : hb_core_activity(core, user, length, &activity);
    int64_t wall_ms = core->clock.wall_ms;
    hb_core_unlock(core);
    if (found <= 0)
        return found;
    json_t *document =
        json_pack("{s:o, s:I, s:I, s:b, s:s, s:s}", "user", text_json(user, length), "seen_ms",
                  (json_int_t)activity.seen_ms, "ago_ms", (json_int_t)(wall_ms - activity.seen_ms), "online",
                  (int)activity.online, "why", hb_reason_name(activity.why), "meaning", hb_reason_text(activity.why));
    document = with(with(document, "offline_ms", json_integer(activity.offline_ms)), "last_ms",
                    json_integer(activity.last_ms));
    if (activity.length)
        document = with(document, "status", text_json(activity.status, activity.length));
    code = print(document, json, json_length);
    return code < 0 ? code : 1;
}

static json_t *words_json(const char *const *words)
{
    json_t *list = json_array();

    for (size_t i = 0; list && words[i]; i++) {
        if (json_array_append_new(list, json_string(words[i])) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* A key with its range, the value that it has in `policy`, and the one that it would have if it were not named. */
static json_t *key_json(const hb_policy_key *key, const hb_policy *defaults, const hb_policy *policy, bool named)
{
    static const char *const kinds[] = {"duration", "number", "switch", "choice"};
    json_t *json = json_pack("{s:s, s:s, s:b}", "key", key->name, "kind", kinds[key->kind], "named", (int)named);

    if (key->kind == HB_KEY_DURATION || key->kind == HB_KEY_NUMBER)
        json = with(with(with(json, "min", json_integer(key->min)), "max", json_integer(key->max)), "off",
                    json_boolean(key->off));
    if (key->words)
        json = with(json, "words", words_json(key->words));
    json = with(json, "default", value_json(key, hb_policy_get(defaults, key)));
    if (!policy)
        return json;
    json = with(json, "value", value_json(key, hb_policy_get(policy, key)));
    return key->kind == HB_KEY_DURATION ? with(json, "seconds", json_integer(hb_policy_get(policy, key))) : json;
}

static json_t *error_json(const hb_error *error)
{
    return json_pack("{s:i, s:i, s:o, s:o}", "line", error->line, "column", error->column, "key",
                     text_json(error->path, strlen(error->path)), "text", text_json(error->text, strlen(error->text)));
}

int hb_policy_describe(const char *json, size_t length, int64_t idle_ms, bool ping, char **out, size_t *out_length)
{
    hb_policy defaults;
    hb_policy policy;
    hb_error error = {0};
    size_t count = 0;
    const hb_policy_key *keys = hb_policy_keys(&count);

    hb_policy_derive(idle_ms, ping, &defaults);
    policy = defaults;
    int code = json ? hb_policy_parse(json, length, &defaults, &policy, &error) : HB_OK;
    if (code < 0 && code != HB_EPOLICY)
        return code;
    json_t *named = json && code == HB_OK ? json_loadb(json, length, 0, NULL) : NULL;
    if (json && code == HB_OK && !named)
        return HB_ENOMEM;
    json_t *list = json_array();
    for (size_t i = 0; list && i < count; i++) {
        bool is_named = json_object_get(named, keys[i].name) != NULL;
        json_t *key = key_json(&keys[i], &defaults, code == HB_OK ? &policy : NULL, is_named);
        if (json_array_append_new(list, key) < 0) {
            json_decref(list);
            list = NULL;
        }
    }
    json_decref(named);
    json_t *document = with(json_object(), "keys", list);
    if (code == HB_OK)
        document = with(document, "policy", policy_json(&policy));
    else
        document = with(document, "error", error_json(&error));
    return print(document, out, out_length);
}

/* Whether a full JID is this one, or one of the user's if it is a bare one. */
static bool is_meant(const hb_jid *its, const char *jid, size_t length)
{
    bool bare = hb_bare_length(jid, length) == length;

    if (!its || (bare ? hb_bare_length(its->text, its->length) : its->length) != length)
        return false;
    return memcmp(its->text, jid, length) == 0;
}

static int add_open(hb_core *core, json_t *list, uint32_t slot, const char *jid, size_t length)
{
    if (!is_meant(hb_jid_of(hb_page_of(core, slot), hb_index_of(slot)), jid, length))
        return 0;
    return json_array_append_new(list, with(session_json(core, slot / HB_PAGE_CELLS, hb_index_of(slot)), "session",
                                            json_integer((json_int_t)hb_token_of(core, slot))));
}

/* Of a user's list. The lock is held. */
static int add_users(hb_core *core, json_t *list, const char *jid, size_t length)
{
    const hb_user *user = hb_users_find(&core->users, jid, hb_node_length(jid, length));
    uint32_t slot = user ? user->sessions : HB_NO_SLOT;
    int code = 0;

    for (; code == 0 && slot != HB_NO_SLOT; slot = hb_slot_at(core, slot)->next)
        code = add_open(core, list, slot, jid, length);
    return code;
}

/* Of those who are on nobody's list: anonymous ones, and of a user who was forgotten meanwhile. A lock per page. */
static int add_nobodys(hb_core *core, json_t *list, const char *jid, size_t length)
{
    int code = 0;
    bool more = length > 0;

    for (size_t p = 0; code == 0 && more; p++) {
        hb_core_lock(core);
        more = p < core->page_count;
        for (size_t i = 0; code == 0 && more && i < HB_PAGE_CELLS; i++) {
            const hb_slot *it = &core->pages[p]->slots[i];
            if (!it->user && it->session.phase != HB_CLOSED)
                code = add_open(core, list, (uint32_t)(p * HB_PAGE_CELLS + i), jid, length);
        }
        hb_core_unlock(core);
    }
    return code;
}

/* Sets the full JID of a decision, if it is still known: the bare one is what was asked for. */
static json_t *with_jid(json_t *json, const hb_core *core, const hb_trace *trace, const char *jid, size_t length)
{
    char full[HB_JID_MAX];
    size_t bare = hb_bare_length(jid, length);

    if (!bare || bare + 1 + trace->resource_length > sizeof full)
        return json;
    if (!hb_traces_resource(&core->traces, trace, full + bare + 1))
        return json;
    memcpy(full, jid, bare);
    full[bare] = '/';
    return with(json, "jid", text_json(full, bare + 1 + trace->resource_length));
}

/* The lock is held: resources are overwritten. */
static json_t *traces_json(const hb_core *core, const hb_trace *traces, size_t count, const char *jid, size_t length)
{
    json_t *list = json_array();
    uint32_t now = core->clock.tick;

    for (size_t i = 0; list && i < count; i++) {
        const hb_trace *t = &traces[i];
        json_t *json = json_pack("{s:I, s:I, s:s, s:s, s:s}", "session", (json_int_t)t->token, "ago_s",
                                 (json_int_t)(now - t->tick), "action", hb_verb_name((hb_verb)t->verb), "why",
                                 hb_reason_name((hb_reason)t->why), "meaning", hb_reason_text((hb_reason)t->why));
        if (json_array_append_new(list, with_jid(json, core, t, jid, length)) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

int hb_core_why(hb_core *core, const char *jid, size_t length, char **json, size_t *json_length)
{
    bool cut = false;

    if (!jid || length > HB_JID_MAX)
        return HB_EINVAL;
    uint64_t whom = hb_siphash(core->users.seed, jid, length);
    size_t each = length && hb_bare_length(jid, length) == length ? WHY_LIST_USER : WHY_LIST;
    hb_trace *traces = malloc(HB_TRACE_RINGS * each * sizeof *traces);
    if (!traces)
        return HB_ENOMEM;
    json_t *open = json_array();
    int code = open ? add_nobodys(core, open, jid, length) : -1;
    hb_core_lock(core);
    size_t count = hb_traces_find(hb_core_traces(core), whom, traces, each, &cut);
    if (code == 0)
        code = add_users(core, open, jid, length);
    json_t *decisions = traces_json(core, traces, count, jid, length);
    hb_core_unlock(core);
    free(traces);
    if (code < 0) {
        json_decref(open);
        open = NULL;
    }
    if (open && decisions && !count && !json_array_size(open)) {
        json_decref(open);
        json_decref(decisions);
        return 0;
    }
    json_t *document =
        with(with(json_pack("{s:o, s:b}", "jid", text_json(jid, length), "complete", (int)!cut), "open", open),
             "decisions", decisions);
    code = print(document, json, json_length);
    return code < 0 ? code : 1;
}

static json_t *point_json(const hb_point *p, int64_t step_ms)
{
    json_t *sessions = json_object();
    json_t *disconnects = json_object();
    uint64_t trips = 0;
    int64_t at_ms = (p->place - 1) * step_ms;

    for (int phase = HB_CONNECTED; phase <= HB_CLOSED; phase++)
        sessions = with(sessions, hb_phase_name((hb_phase)phase), json_real((double)p->sessions[phase] / p->ticks));
    for (int why = 0; why < HB_WHY_COUNT; why++) {
        if (p->disconnects[why])
            disconnects = with(disconnects, hb_reason_name((hb_reason)why), json_integer(p->disconnects[why]));
    }
    json_t *json = json_pack("{s:I, s:I, s:o, s:o}", "at_ms", (json_int_t)at_ms, "ticks", (json_int_t)p->ticks,
                             "sessions", sessions, "disconnects", disconnects);
#define X(name) json = with(json, #name, json_integer(p->name));
    HB_SERIES_COUNTS(X)
#undef X
    for (size_t i = 0; i < HB_RTT_BUCKETS; i++)
        trips += p->rtt[i];
    if (!trips)
        return with(json, "rtt_us", json_null());
    return with(json, "rtt_us",
                json_pack("{s:I, s:I, s:I, s:I}", "count", (json_int_t)trips, "p50",
                          (json_int_t)hb_rtt_percentile(p->rtt, 50), "p90", (json_int_t)hb_rtt_percentile(p->rtt, 90),
                          "p99", (json_int_t)hb_rtt_percentile(p->rtt, 99)));
}

int hb_core_series(hb_core *core, hb_span span, char **json, size_t *json_length)
{
    if ((unsigned)span > HB_WEEK)
        return HB_EINVAL;
    hb_point *points = malloc(hb_series_size(span) * sizeof *points);
    if (!points)
        return HB_ENOMEM;
    hb_core_lock(core);
    int64_t wall_ms = core->clock.wall_ms;
    size_t count = hb_series_ring(core->series, span, wall_ms, points);
    hb_core_unlock(core);
    json_t *list = json_array();
    for (size_t i = 0; list && i < count; i++) {
        if (json_array_append_new(list, point_json(&points[i], hb_series_step_ms(span))) < 0) {
            json_decref(list);
            list = NULL;
        }
    }
    free(points);
    json_t *document = with(
        json_pack("{s:I, s:I}", "step_s", (json_int_t)(hb_series_step_ms(span) / 1000), "now_ms", (json_int_t)wall_ms),
        "points", list);
    return print(document, json, json_length);
}

void hb_string_free(char *text)
{
    free(text);
}
