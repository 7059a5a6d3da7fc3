/* jni.c - what Java says, in C, and back. Nothing is decided here. The only unit that knows Java. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jni.h>

#include "heartbeat.h"

#define PACKAGE "org/igniterealtime/openfire/plugin/heartbeat/"
#define CORE_CLASS PACKAGE "NativeCore"
#define POLICY_EXCEPTION PACKAGE "NativeCore$PolicyException"

/* An id or a JID is copied to the stack; longer than this is neither. */
#define TEXT_MAX HB_JID_MAX

static hb_core *core_of(jlong handle)
{
    return (hb_core *)(uintptr_t)handle; /* NOLINT(performance-no-int-to-ptr): it is how Java holds a pointer */
}

static void throw_new(JNIEnv *env, const char *class_name, const char *message)
{
    jclass class = (*env)->FindClass(env, class_name);

    if (class) /* else another exception is pending, which says as much */
        (*env)->ThrowNew(env, class, message);
}

/* Copies an array of bytes to text. Returns its length, or -1 if it is NULL or longer than capacity. */
static jsize copy_text(JNIEnv *env, jbyteArray array, char *text, jsize capacity)
{
    if (!array)
        return -1;
    jsize length = (*env)->GetArrayLength(env, array);
    if (length > capacity)
        return -1;
    (*env)->GetByteArrayRegion(env, array, 0, length, (jbyte *)text);
    return length;
}

static jbyteArray bytes_of(JNIEnv *env, const char *text, size_t length)
{
    jbyteArray array = (*env)->NewByteArray(env, (jsize)length);

    if (array)
        (*env)->SetByteArrayRegion(env, array, 0, (jsize)length, (const jbyte *)text);
    return array;
}

static jstring version0(JNIEnv *env, jclass class)
{
    (void)class;
    return (*env)->NewStringUTF(env, hb_version());
}

static jlong create0(JNIEnv *env, jclass class, jlong now_us, jlong wall_ms)
{
    hb_core *core = NULL;
    int code = hb_core_new(NULL, now_us, wall_ms, &core);

    (void)class;
    if (code < 0) {
        throw_new(env, "java/lang/IllegalStateException", hb_strerror(code));
        return 0;
    }
    return (jlong)(uintptr_t)core;
}

static void free0(JNIEnv *env, jclass class, jlong handle)
{
    (void)env;
    (void)class;
    hb_core_free(core_of(handle));
}

/* One half of a character beyond U+FFFF, as if it were a character. */
static char *put_surrogate(char *out, uint32_t unit)
{
    *out++ = (char)(0xe0 | unit >> 12);
    *out++ = (char)(0x80 | (unit >> 6 & 0x3f));
    *out++ = (char)(0x80 | (unit & 0x3f));
    return out;
}

/* UTF-8 as Java wants it from C, where four bytes are six: out has room for half as much again. */
static void modify(const char *text, char *out)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at < 0xf0 || !at[1] || !at[2] || !at[3]) {
            *out++ = (char)*at;
            continue;
        }
        uint32_t c = (at[0] & 7u) << 18 | (at[1] & 0x3fu) << 12 | (at[2] & 0x3fu) << 6 | (at[3] & 0x3fu);
        out = put_surrogate(out, 0xd800 | (c - 0x10000) >> 10);
        out = put_surrogate(out, 0xdc00 | (c & 0x3ff));
        at += 3;
    }
    *out = '\0';
}

static void throw_policy(JNIEnv *env, int code, const hb_error *error)
{
    char message[sizeof error->path + sizeof error->text + 64];
    char modified[sizeof message / 2 * 3];
    char where[64] = "";

    if (code != HB_EPOLICY) {
        throw_new(env, POLICY_EXCEPTION, hb_strerror(code));
        return;
    }
    if (error->line)
        snprintf(where, sizeof where, "line %d, column %d: ", error->line, error->column);
    snprintf(message, sizeof message, "%s%s%s%s", where, error->path, error->path[0] ? ": " : "", error->text);
    modify(message, modified);
    throw_new(env, POLICY_EXCEPTION, modified);
}

static void configure0(JNIEnv *env, jclass class, jlong handle, jbyteArray json, jlong idle_ms, jboolean ping)
{
    hb_error error = {0};
    jbyte *text = NULL;
    jsize length = 0;

    (void)class;
    if (json) {
        length = (*env)->GetArrayLength(env, json);
        text = (*env)->GetByteArrayElements(env, json, NULL);
        if (!text)
            return; /* OutOfMemoryError is pending */
    }
    int code =
        hb_core_configure(core_of(handle), (const char *)text, (size_t)length, idle_ms, ping == JNI_TRUE, &error);
    if (text)
        (*env)->ReleaseByteArrayElements(env, json, text, JNI_ABORT);
    if (code < 0)
        throw_policy(env, code, &error);
}

static jbyteArray describe0(JNIEnv *env, jclass class, jbyteArray json, jlong idle_ms, jboolean ping)
{
    jbyte *text = NULL;
    jsize length = 0;
    char *out = NULL;
    size_t out_length = 0;

    (void)class;
    if (json) {
        length = (*env)->GetArrayLength(env, json);
        text = (*env)->GetByteArrayElements(env, json, NULL);
        if (!text)
            return NULL; /* OutOfMemoryError is pending */
    }
    int code = hb_policy_describe((const char *)text, (size_t)length, idle_ms, ping == JNI_TRUE, &out, &out_length);
    if (text)
        (*env)->ReleaseByteArrayElements(env, json, text, JNI_ABORT);
    if (code < 0)
        return NULL;
    jbyteArray bytes = bytes_of(env, out, out_length);
    hb_string_free(out);
    return bytes;
}

static jint addPage0(JNIEnv *env, jclass class, jlong handle, jobject page)
{
    void *cells = (*env)->GetDirectBufferAddress(env, page);

    (void)class;
    if ((*env)->GetDirectBufferCapacity(env, page) < (jlong)(HB_PAGE_CELLS * HB_CELL_BYTES))
        return HB_EINVAL;
    return hb_core_add_page(core_of(handle), cells);
}

static jlong open0(JNIEnv *env, jclass class, jlong handle, jint transport, jint own_s, jlong opened_us, jlong read_us)
{
    hb_token token = 0;
    int code = hb_core_open(core_of(handle), (hb_transport)transport, (uint32_t)own_s, opened_us, read_us, &token);

    (void)env;
    (void)class;
    return code < 0 ? code : (jlong)token;
}

static jint bound0(JNIEnv *env, jclass class, jlong handle, jlong token, jbyteArray jid, jboolean anonymous)
{
    char text[TEXT_MAX];
    jsize length = copy_text(env, jid, text, sizeof text);

    (void)class;
    if (length < 0)
        return HB_EINVAL;
    return hb_core_bound(core_of(handle), (hb_token)token, text, (size_t)length, anonymous == JNI_TRUE);
}

static jint available0(JNIEnv *env, jclass class, jlong handle, jlong token)
{
    (void)env;
    (void)class;
    return hb_core_available(core_of(handle), (hb_token)token);
}

static jint unavailable0(JNIEnv *env, jclass class, jlong handle, jlong token, jbyteArray status, jboolean closed)
{
    /* Longer than what is kept, so that the core can cut it between characters. */
    char text[HB_STATUS_MAX + 4];
    jsize length = status ? (*env)->GetArrayLength(env, status) : -1;

    (void)class;
    if (length > (jsize)sizeof text)
        length = sizeof text;
    if (length > 0)
        (*env)->GetByteArrayRegion(env, status, 0, length, (jbyte *)text);
    return hb_core_unavailable(core_of(handle), (hb_token)token, length < 0 ? NULL : text,
                               length < 0 ? 0 : (size_t)length, closed == JNI_TRUE);
}

static jint inCharge0(JNIEnv *env, jclass class, jlong handle, jlong now_us)
{
    (void)env;
    (void)class;
    return hb_core_in_charge(core_of(handle), now_us);
}

static jint idle0(JNIEnv *env, jclass class, jlong handle, jlong token, jlong now_us)
{
    (void)env;
    (void)class;
    return hb_core_idle(core_of(handle), (hb_token)token, now_us);
}

static jint pong0(JNIEnv *env, jclass class, jlong handle, jlong token, jbyteArray id, jlong now_us)
{
    char text[TEXT_MAX];
    jsize length = copy_text(env, id, text, sizeof text);

    (void)class;
    return length < 0 ? 0 : hb_core_pong(core_of(handle), (hb_token)token, text, (size_t)length, now_us);
}

static jint detached0(JNIEnv *env, jclass class, jlong handle, jlong token)
{
    (void)env;
    (void)class;
    return hb_core_detached(core_of(handle), (hb_token)token);
}

static jint resumed0(JNIEnv *env, jclass class, jlong handle, jlong from, jlong to)
{
    (void)env;
    (void)class;
    return hb_core_resumed(core_of(handle), (hb_token)from, (hb_token)to);
}

static jint closed0(JNIEnv *env, jclass class, jlong handle, jlong token)
{
    (void)env;
    (void)class;
    return hb_core_closed(core_of(handle), (hb_token)token);
}

/* at: the address of memory that Java keeps, which takes so many actions. */
static jlong advance0(JNIEnv *env, jclass class, jlong handle, jlong now_us, jlong wall_ms, jlong at, jint capacity)
{
    hb_action *out = (hb_action *)(intptr_t)at; /* NOLINT(performance-no-int-to-ptr) */
    size_t count = 0;
    uint32_t tick = 0;

    (void)env;
    (void)class;
    int code = hb_core_advance(core_of(handle), now_us, wall_ms, out, (size_t)capacity, &count, &tick);
    return code < 0 ? code : (jlong)tick << 32 | (jlong)count;
}

static jbyteArray begin0(JNIEnv *env, jclass class, jlong handle, jlong token, jint verb, jint facts, jlong now_us)
{
    hb_order order;
    char answer[2 + sizeof order.text];

    (void)class;
    if (hb_core_begin(core_of(handle), (hb_token)token, (hb_verb)verb, (unsigned)facts, now_us, &order) < 0)
        return NULL;
    answer[0] = (char)order.verb;
    answer[1] = (char)order.why;
    memcpy(answer + 2, order.text, order.length);
    return bytes_of(env, answer, 2 + order.length);
}

/* The verb << 32 | the reason of what is to be done; 0: nothing; negative: a code. */
static jlong ask0(JNIEnv *env, jclass class, jlong handle, jlong token, jint verb)
{
    hb_action action = {0};
    int code = hb_core_ask(core_of(handle), (hb_token)token, (hb_verb)verb, &action);

    (void)env;
    (void)class;
    return code == 1 ? (jlong)action.verb << 32 | (jlong)action.why : code;
}

static char *put_bytes(char *at, const void *bytes, size_t length)
{
    if (bytes)
        memcpy(at, bytes, length);
    return at + length;
}

/* A row, and behind it its JID. NativeCore.Listing reads it. */
static char *put_row(char *at, const hb_row *row)
{
    const int64_t numbers[] = {(int64_t)row->token, row->rtt_us, row->ends_s, row->silent_s};
    const uint8_t small[] = {row->state, row->transport, row->pings, row->why, row->available, row->jid != NULL};
    const uint16_t length = row->jid_length;

    at = put_bytes(at, numbers, sizeof numbers);
    at = put_bytes(at, small, sizeof small);
    at = put_bytes(at, &length, sizeof length);
    return put_bytes(at, row->jid, length);
}

#define ROW_BYTES (4 * sizeof(int64_t) + 6 + sizeof(uint16_t))

static jbyteArray listing_bytes(JNIEnv *env, const hb_listing *listing)
{
    size_t size = (2 + HB_STATES) * sizeof(int64_t) + listing->count * ROW_BYTES;

    for (size_t i = 0; i < listing->count; i++)
        size += listing->rows[i].jid_length;
    char *bytes = malloc(size);
    if (!bytes)
        return NULL;
    const int64_t totals[] = {(int64_t)listing->total, (int64_t)listing->count};
    char *at = put_bytes(bytes, totals, sizeof totals);
    for (size_t s = 0; s < HB_STATES; s++) {
        const int64_t count = (int64_t)listing->counts[s];
        at = put_bytes(at, &count, sizeof count);
    }
    for (size_t i = 0; i < listing->count; i++)
        at = put_row(at, &listing->rows[i]);
    jbyteArray array = bytes_of(env, bytes, size);
    free(bytes);
    return array;
}

/* In the byte order of the machine; NULL: an argument is out of its range, or there is no memory. */
static jbyteArray list0(JNIEnv *env, jclass class, jlong handle, jbyteArray wanted, jint states, jint transports,
                        jint sort, jboolean descending, jlong offset, jint limit)
{
    char text[HB_LIST_TEXT];
    jsize length = copy_text(env, wanted, text, sizeof text);
    hb_listing *listing = NULL;
    hb_list_query query = {.text = text,
                           .length = length < 0 ? 0 : (size_t)length,
                           .states = (unsigned)states,
                           .transports = (unsigned)transports,
                           .sort = (hb_sort)sort,
                           .descending = descending == JNI_TRUE,
                           .offset = offset < 0 ? 0 : (size_t)offset,
                           .limit = limit < 0 ? 0 : (size_t)limit};

    (void)class;
    if ((wanted && length < 0) || hb_core_list(core_of(handle), &query, &listing) < 0)
        return NULL;
    jbyteArray bytes = listing_bytes(env, listing);
    hb_listing_free(listing);
    return bytes;
}

static void stop0(JNIEnv *env, jclass class, jlong handle)
{
    (void)env;
    (void)class;
    hb_core_stop(core_of(handle));
}

static jbyteArray status0(JNIEnv *env, jclass class, jlong handle, jboolean detail)
{
    char *json = NULL;
    size_t length = 0;

    (void)class;
    if (hb_core_status(core_of(handle), detail == JNI_TRUE, &json, &length) < 0)
        return NULL;
    jbyteArray bytes = bytes_of(env, json, length);
    hb_string_free(json);
    return bytes;
}

static jbyteArray lastActivity0(JNIEnv *env, jclass class, jlong handle, jbyteArray user)
{
    char name[TEXT_MAX];
    jsize name_length = copy_text(env, user, name, sizeof name);
    char *json = NULL;
    size_t length = 0;

    (void)class;
    if (name_length < 0 || hb_core_last_activity_json(core_of(handle), name, (size_t)name_length, &json, &length) <= 0)
        return NULL;
    jbyteArray bytes = bytes_of(env, json, length);
    hb_string_free(json);
    return bytes;
}

/*
 * The time << 1 | online, or -1 if the user is unknown. at: the address of memory that Java keeps, which holds the name
 * behind room for two ints: these take the user's stripe, and its count of changes.
 */
static jlong seen0(JNIEnv *env, jclass class, jlong handle, jlong at, jint length)
{
    jint *where = (jint *)(intptr_t)at; /* NOLINT(performance-no-int-to-ptr) */
    hb_seen seen;

    (void)env;
    (void)class;
    if (hb_core_seen(core_of(handle), (const char *)(where + 2), (size_t)length, &seen) != 1)
        return -1;
    where[0] = (jint)seen.stripe;
    where[1] = (jint)seen.change;
    return (jlong)((uint64_t)seen.ms << 1 | seen.online);
}

static jlong addressOf0(JNIEnv *env, jclass class, jobject buffer)
{
    (void)class;
    return (jlong)(intptr_t)(*env)->GetDirectBufferAddress(env, buffer);
}

static jint countChanges0(JNIEnv *env, jclass class, jlong handle, jobject changes)
{
    uint32_t *counts = (*env)->GetDirectBufferAddress(env, changes);

    (void)class;
    if (!counts || (*env)->GetDirectBufferCapacity(env, changes) != HB_USER_STRIPES * (jlong)sizeof *counts)
        return HB_EINVAL;
    hb_core_count_changes(core_of(handle), counts);
    return HB_OK;
}

/* What hb_core_journal_open says, in lines. */
typedef struct lines {
    size_t length;
    char text[4096];
} lines;

static void add_line(void *to, const char *line)
{
    lines *all = to;
    int length = snprintf(all->text + all->length, sizeof all->text - all->length, "%s\n", line);

    if (length > 0 && (size_t)length < sizeof all->text - all->length)
        all->length += (size_t)length;
}

/* The lines that it says; one more without an end of line is the error. */
static jbyteArray journalOpen0(JNIEnv *env, jclass class, jlong handle, jbyteArray folder)
{
    char path[sizeof(((hb_error *)0)->path) * 8];
    jsize length = copy_text(env, folder, path, sizeof path - 1);
    hb_error error = {0};
    lines all = {0};

    (void)class;
    if (length < 0)
        return NULL;
    path[length] = '\0';
    int code = hb_core_journal_open(core_of(handle), path, NULL, add_line, &all, &error);
    if (code < 0) {
        char reason[sizeof error.path + sizeof error.text + 4];
        if (code == HB_EJOURNAL)
            snprintf(reason, sizeof reason, "%s: %s", error.path, error.text);
        else
            snprintf(reason, sizeof reason, "%s", hb_strerror(code));
        add_line(&all, reason);
        all.length -= all.length > 0;
    }
    return bytes_of(env, all.text, all.length);
}

/* As journalOpen0. */
static jbyteArray seriesOpen0(JNIEnv *env, jclass class, jlong handle, jbyteArray folder)
{
    char path[sizeof(((hb_error *)0)->path) * 8];
    jsize length = copy_text(env, folder, path, sizeof path - 1);
    hb_error error = {0};
    lines all = {0};

    (void)class;
    if (length < 0)
        return NULL;
    path[length] = '\0';
    int code = hb_core_series_open(core_of(handle), path, add_line, &all, &error);
    if (code < 0) {
        add_line(&all, code == HB_EJOURNAL ? error.text : hb_strerror(code));
        all.length -= all.length > 0;
    }
    return bytes_of(env, all.text, all.length);
}

/* NULL: it is on disk. Else why not. */
static jbyteArray seriesSave0(JNIEnv *env, jclass class, jlong handle, jbyteArray folder)
{
    char path[sizeof(((hb_error *)0)->path) * 8];
    jsize length = copy_text(env, folder, path, sizeof path - 1);
    hb_error error = {0};

    (void)class;
    if (length < 0)
        return NULL;
    path[length] = '\0';
    int code = hb_core_series_save(core_of(handle), path, &error);
    if (code == HB_OK)
        return NULL;
    const char *text = code == HB_EJOURNAL ? error.text : hb_strerror(code);
    return bytes_of(env, text, strlen(text));
}

static jbyteArray series0(JNIEnv *env, jclass class, jlong handle, jint span)
{
    char *json = NULL;
    size_t length = 0;

    (void)class;
    if (hb_core_series(core_of(handle), (hb_span)span, &json, &length) < 0)
        return NULL;
    jbyteArray bytes = bytes_of(env, json, length);
    hb_string_free(json);
    return bytes;
}

static jbyteArray metrics0(JNIEnv *env, jclass class, jlong handle, jboolean openmetrics)
{
    char *text = malloc(HB_METRICS_BYTES);
    size_t length = 0;
    jbyteArray bytes = NULL;

    (void)class;
    if (text && hb_core_metrics(core_of(handle), openmetrics == JNI_TRUE, text, HB_METRICS_BYTES, &length) == HB_OK)
        bytes = bytes_of(env, text, length);
    free(text);
    return bytes;
}

/* As journalOpen0, with a first byte: 1 if it is on disk. An empty error: as before. */
static jbyteArray journalFlush0(JNIEnv *env, jclass class, jlong handle)
{
    hb_error error = {0};
    lines all = {.length = 1};
    int code = hb_core_journal_flush(core_of(handle), add_line, &all, &error);

    (void)class;
    all.text[0] = (char)(code == HB_OK);
    if (code < 0) {
        add_line(&all, code == HB_EJOURNAL ? error.text : hb_strerror(code));
        all.length--;
    }
    return bytes_of(env, all.text, all.length);
}

static jint forget0(JNIEnv *env, jclass class, jlong handle, jbyteArray user)
{
    char name[TEXT_MAX];
    jsize length = copy_text(env, user, name, sizeof name);

    (void)class;
    return length < 0 ? HB_EINVAL : hb_core_forget(core_of(handle), name, (size_t)length);
}

static jint import0(JNIEnv *env, jclass class, jlong handle, jbyteArray user, jlong offline_ms, jbyteArray status)
{
    char name[TEXT_MAX];
    char text[HB_STATUS_MAX + 4];
    jsize length = copy_text(env, user, name, sizeof name);
    jsize status_length = copy_text(env, status, text, sizeof text);

    (void)class;
    return length < 0 ? HB_EINVAL
                      : hb_core_import(core_of(handle), name, (size_t)length, offline_ms,
                                       status_length < 0 ? NULL : text, status_length < 0 ? 0 : (size_t)status_length);
}

/* hb_user_row, and the status behind it; NULL: unknown. */
static jbyteArray last0(JNIEnv *env, jclass class, jlong handle, jbyteArray user)
{
    char name[TEXT_MAX];
    jsize length = copy_text(env, user, name, sizeof name);
    hb_activity activity;
    char answer[sizeof(hb_user_row) + HB_STATUS_MAX];

    (void)class;
    if (length < 0 || hb_core_last_activity(core_of(handle), name, (size_t)length, &activity) != 1)
        return NULL;
    const hb_user_row head = {.seen_ms = activity.seen_ms,
                              .offline_ms = activity.offline_ms,
                              .last_ms = activity.last_ms,
                              .status_length = (uint16_t)activity.length,
                              .why = (uint8_t)activity.why,
                              .online = activity.online};
    memcpy(answer, &head, sizeof head);
    memcpy(answer + sizeof head, activity.status, activity.length);
    return bytes_of(env, answer, sizeof head + activity.length);
}

/* hb_core_users's answer; NULL: out of memory, or a text is too long. */
static jbyteArray users0(JNIEnv *env, jclass class, jlong handle, jint order, jint limit, jlong before_ms,
                         jbyteArray part, jboolean prefix, jbyteArray after, jlong after_ms)
{
    char part_text[TEXT_MAX];
    char after_text[TEXT_MAX];
    jsize part_length = copy_text(env, part, part_text, sizeof part_text);
    jsize after_length = copy_text(env, after, after_text, sizeof after_text);

    (void)class;
    if ((part && part_length < 0) || (after && after_length < 0))
        return NULL;
    const hb_user_query query = {.order = (hb_user_order)order,
                                 .limit = (size_t)limit,
                                 .before_ms = before_ms,
                                 .part = part_text,
                                 .part_length = part_length < 0 ? 0 : (size_t)part_length,
                                 .prefix = prefix == JNI_TRUE,
                                 .after = after_length < 0 ? NULL : after_text,
                                 .after_length = after_length < 0 ? 0 : (size_t)after_length,
                                 .after_ms = after_ms};
    char *answer = NULL;
    size_t length = 0;

    if (hb_core_users(core_of(handle), &query, &answer, &length) < 0)
        return NULL;
    jbyteArray bytes = bytes_of(env, answer, length);
    hb_string_free(answer);
    return bytes;
}

/* hb_core_each's answer behind 4 bytes, where the next call goes on. NULL: out of memory. */
static jbyteArray each0(JNIEnv *env, jclass class, jlong handle, jint at)
{
    uint32_t next = (uint32_t)at;
    char *answer = NULL;
    size_t length = 0;

    (void)class;
    if (hb_core_each(core_of(handle), &next, &answer, &length) < 0)
        return NULL;
    jbyteArray bytes = (*env)->NewByteArray(env, (jsize)(sizeof next + length));
    if (bytes) {
        (*env)->SetByteArrayRegion(env, bytes, 0, (jsize)sizeof next, (const jbyte *)&next);
        (*env)->SetByteArrayRegion(env, bytes, (jsize)sizeof next, (jsize)length, (const jbyte *)answer);
    }
    hb_string_free(answer);
    return bytes;
}

static jint catchUp0(JNIEnv *env, jclass class, jlong handle, jbyteArray user, jlong offline_ms)
{
    char text[TEXT_MAX];
    jsize length = copy_text(env, user, text, sizeof text);

    (void)class;
    return length < 0 ? HB_EINVAL : hb_core_catch_up(core_of(handle), text, (size_t)length, offline_ms);
}

/* hb_core_gone's answer behind one byte, 1: some are missing. NULL: out of memory. */
static jbyteArray gone0(JNIEnv *env, jclass class, jlong handle)
{
    char *answer = NULL;
    size_t length = 0;

    (void)class;
    int code = hb_core_gone(core_of(handle), &answer, &length);
    if (code < 0)
        return NULL;
    const jbyte missing = (jbyte)code;
    jbyteArray bytes = (*env)->NewByteArray(env, (jsize)length + 1);
    if (bytes) {
        (*env)->SetByteArrayRegion(env, bytes, 0, 1, &missing);
        (*env)->SetByteArrayRegion(env, bytes, 1, (jsize)length, (const jbyte *)answer);
    }
    hb_string_free(answer);
    return bytes;
}

static jbyteArray why0(JNIEnv *env, jclass class, jlong handle, jbyteArray jid)
{
    char text[TEXT_MAX];
    jsize text_length = copy_text(env, jid, text, sizeof text);
    char *json = NULL;
    size_t length = 0;

    (void)class;
    if (text_length < 0 || hb_core_why(core_of(handle), text, (size_t)text_length, &json, &length) <= 0)
        return NULL;
    jbyteArray bytes = bytes_of(env, json, length);
    hb_string_free(json);
    return bytes;
}

static jint record0(JNIEnv *env, jclass class, jlong handle, jint capacity)
{
    (void)env;
    (void)class;
    return hb_core_record(core_of(handle), (size_t)capacity);
}

static jint recorded0(JNIEnv *env, jclass class, jlong handle, jobject out)
{
    char *bytes = (*env)->GetDirectBufferAddress(env, out);
    jlong capacity = (*env)->GetDirectBufferCapacity(env, out);
    size_t length = 0;

    (void)class;
    if (!bytes || capacity <= 0)
        return HB_EINVAL;
    int code = hb_core_recorded(core_of(handle), bytes, (size_t)capacity, &length);
    return code < 0 ? code : (jint)length;
}

static void recordEnd0(JNIEnv *env, jclass class, jlong handle)
{
    (void)env;
    (void)class;
    hb_core_record_end(core_of(handle));
}

/* NOLINTBEGIN(performance-no-int-to-ptr) */
/* JNINativeMethod wants char * and void *: through an integer, as C11 converts neither without a complaint. */
#define METHOD(name, signature)                                                                                        \
    {                                                                                                                  \
        (char *)(uintptr_t) #name, (char *)(uintptr_t)(signature), (void *)(uintptr_t)(name)                           \
    }

static JNINativeMethod METHODS[] = {
    METHOD(version0, "()Ljava/lang/String;"),
    METHOD(create0, "(JJ)J"),
    METHOD(free0, "(J)V"),
    METHOD(configure0, "(J[BJZ)V"),
    METHOD(describe0, "([BJZ)[B"),
    METHOD(addPage0, "(JLjava/nio/ByteBuffer;)I"),
    METHOD(open0, "(JIIJJ)J"),
    METHOD(bound0, "(JJ[BZ)I"),
    METHOD(available0, "(JJ)I"),
    METHOD(unavailable0, "(JJ[BZ)I"),
    METHOD(inCharge0, "(JJ)I"),
    METHOD(idle0, "(JJJ)I"),
    METHOD(pong0, "(JJ[BJ)I"),
    METHOD(detached0, "(JJ)I"),
    METHOD(resumed0, "(JJJ)I"),
    METHOD(closed0, "(JJ)I"),
    METHOD(advance0, "(JJJJI)J"),
    METHOD(begin0, "(JJIIJ)[B"),
    METHOD(ask0, "(JJI)J"),
    METHOD(list0, "(J[BIIIZJI)[B"),
    METHOD(seriesOpen0, "(J[B)[B"),
    METHOD(seriesSave0, "(J[B)[B"),
    METHOD(series0, "(JI)[B"),
    METHOD(metrics0, "(JZ)[B"),
    METHOD(stop0, "(J)V"),
    METHOD(status0, "(JZ)[B"),
    METHOD(lastActivity0, "(J[B)[B"),
    METHOD(seen0, "(JJI)J"),
    METHOD(addressOf0, "(Ljava/nio/ByteBuffer;)J"),
    METHOD(countChanges0, "(JLjava/nio/ByteBuffer;)I"),
    METHOD(journalOpen0, "(J[B)[B"),
    METHOD(journalFlush0, "(J)[B"),
    METHOD(forget0, "(J[B)I"),
    METHOD(import0, "(J[BJ[B)I"),
    METHOD(last0, "(J[B)[B"),
    METHOD(users0, "(JIIJ[BZ[BJ)[B"),
    METHOD(each0, "(JI)[B"),
    METHOD(catchUp0, "(J[BJ)I"),
    METHOD(gone0, "(J)[B"),
    METHOD(why0, "(J[B)[B"),
    METHOD(record0, "(JI)I"),
    METHOD(recorded0, "(JLjava/nio/ByteBuffer;)I"),
    METHOD(recordEnd0, "(J)V"),
};
/* NOLINTEND(performance-no-int-to-ptr) */

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM *vm, void *reserved)
{
    JNIEnv *env = NULL;

    (void)reserved;
    if ((*vm)->GetEnv(vm, (void **)&env, JNI_VERSION_1_8) != JNI_OK)
        return JNI_ERR;
    jclass class = (*env)->FindClass(env, CORE_CLASS);
    if (!class)
        return JNI_ERR;
    if ((*env)->RegisterNatives(env, class, METHODS, sizeof METHODS / sizeof METHODS[0]) != 0)
        return JNI_ERR;
    return JNI_VERSION_1_8;
}

JNIEXPORT void JNICALL JNI_OnUnload(JavaVM *vm, void *reserved)
{
    /* No reference to a class is kept, which would keep the plugin's class loader alive. */
    (void)vm;
    (void)reserved;
    hb_unload();
}
