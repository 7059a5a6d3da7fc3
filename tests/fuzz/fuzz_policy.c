/* Any bytes as a policy: refused with a place and a text, or a policy whose every value is within its limits. */
#include "fuzz.h"

#include <string.h>

#include "policy.h"

#define DAY 86400u

static void check_policy(const hb_policy *p)
{
    must(p->idle <= 30 * DAY);
    must(p->ack_timeout >= 1 && p->ack_timeout <= DAY);
    must(p->retries <= 10);
    must(!p->idle || p->spread < p->idle);
    must(p->login_within <= DAY);
    must(p->on_dead == HB_ON_DEAD_AUTO || p->on_dead == HB_ON_DEAD_CLOSE || p->on_dead == HB_ON_DEAD_CUT);
    must(p->last_activity == HB_LAST_READ || p->last_activity == HB_LAST_OFFLINE);
    must(!p->forget_after || (p->forget_after >= DAY && p->forget_after <= 36500 * DAY));
}

/* No byte beyond the text's end, and the end not within a character. */
static void check_text(const char *text, size_t size)
{
    size_t length = strnlen(text, size);
    must(length < size);
    if (length > 0 && ((unsigned char)text[length - 1] & 0x80)) {
        size_t tail = 1;
        while (tail < length && tail < 4 && ((unsigned char)text[length - tail] & 0xc0) == 0x80) {
            tail++;
        }
        unsigned char first = (unsigned char)text[length - tail];
        size_t wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
        must(wanted == tail);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hb_policy defaults;
    hb_policy policy;
    hb_error error;
    hb_policy_derive(20000, true, &defaults);
    memset(&policy, 0x5a, sizeof policy);
    memset(&error, 0x5a, sizeof error);
    /* A copy of just that size: a read beyond it is seen. */
    char *text = malloc(size ? size : 1);
    must(text != NULL);
    memcpy(text, data, size);
    int code = hb_policy_parse(text, size, &defaults, &policy, &error);
    if (code == HB_OK) {
        check_policy(&policy);
    } else {
        must(code == HB_EPOLICY);
        must(error.text[0] != '\0');
        must(size > HB_POLICY_MAX ? error.line == 0 && error.column == 0 : error.line >= 1 && error.column >= 1);
        must(error.line <= (int)size + 1 && error.column <= (int)size + 2);
        must(strnlen(error.path, sizeof error.path) < sizeof error.path);
        check_text(error.text, sizeof error.text);
    }
    must(hb_policy_parse(text, size, &defaults, &policy, NULL) == code);
    char *json = NULL;
    size_t length = 0;
    must(hb_policy_describe(text, size, 20000, true, &json, &length) == HB_OK);
    must(strlen(json) == length && (strstr(json, code == HB_OK ? "\"policy\":" : "\"error\":") != NULL));
    hb_string_free(json);
    free(text);
    return 0;
}
