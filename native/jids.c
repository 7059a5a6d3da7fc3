/*
 * The JIDs of a page, in one piece of memory: a length and a text each. What a JID leaves behind is free for the next
 * one that takes as many units, which most do; and when too much is free, all of them are copied close together.
 */
#include <string.h>

#include "core.h"
#include "platform.h"

#define ROOM_STEP 1024u /* units: 4 KB */

static uint32_t units_of(size_t length)
{
    return (uint32_t)((sizeof(hb_jid) + length + HB_JID_UNIT - 1) / HB_JID_UNIT);
}

static size_t bytes_of(uint32_t units)
{
    return (size_t)units * HB_JID_UNIT;
}

/* For so many units, and an eighth more. */
static uint32_t room_for(uint32_t units)
{
    return (units + units / 8 + ROOM_STEP) / ROOM_STEP * ROOM_STEP;
}

static void move(hb_core *core, hb_texts *texts, unsigned char *bytes, uint32_t room)
{
    hb_memory_free(texts->bytes, bytes_of(texts->room));
    __atomic_add_fetch(&core->jid_bytes, bytes_of(room) - bytes_of(texts->room), __ATOMIC_RELAXED);
    texts->bytes = bytes;
    texts->room = room;
}

static int grow(hb_core *core, hb_texts *texts, uint32_t units)
{
    uint32_t room = room_for(texts->used + units);
    unsigned char *bytes = hb_memory_new(bytes_of(room));

    if (!bytes)
        return HB_ENOMEM;
    if (texts->bytes)
        memcpy(bytes, texts->bytes, bytes_of(texts->used));
    move(core, texts, bytes, room);
    return HB_OK;
}

/* Everything that is not free, close together, and room for so many units more. */
static int pack(hb_core *core, hb_page *page, uint32_t units)
{
    hb_texts *texts = &page->texts;
    uint32_t room = room_for(texts->used - texts->unused + units);
    unsigned char *bytes = hb_memory_new(bytes_of(room));
    uint32_t used = 1;

    if (!bytes)
        return HB_ENOMEM;
    for (size_t i = 0; i < HB_PAGE_CELLS; i++) {
        const hb_jid *jid = hb_jid_of(page, i);
        if (!jid)
            continue;
        memcpy(bytes + bytes_of(used), jid, sizeof *jid + jid->length);
        page->slots[i].jid = used;
        used += units_of(jid->length);
    }
    move(core, texts, bytes, room);
    texts->used = used;
    texts->unused = 0;
    memset(texts->pieces, 0, sizeof texts->pieces);
    return HB_OK;
}

static bool much_is_free(const hb_texts *texts)
{
    return texts->unused > texts->used / 8 + ROOM_STEP;
}

int hb_jid_keep(hb_core *core, hb_page *page, size_t i, const char *text, size_t length)
{
    hb_texts *texts = &page->texts;
    uint32_t units = units_of(length);
    uint32_t at = texts->pieces[units];

    if (at) {
        memcpy(&texts->pieces[units], texts->bytes + bytes_of(at), sizeof at); /* it names the next one */
        texts->unused -= units;
    } else {
        texts->used += !texts->used; /* 0 is no JID */
        if (texts->used + units > texts->room &&
            (much_is_free(texts) ? pack(core, page, units) : grow(core, texts, units)) < 0)
            return HB_ENOMEM;
        at = texts->used;
        texts->used += units;
    }
    hb_jid *jid = (hb_jid *)(void *)(texts->bytes + bytes_of(at));
    jid->length = (uint16_t)length;
    memcpy(jid->text, text, length);
    page->slots[i].jid = at;
    return HB_OK;
}

void hb_jid_drop(hb_page *page, size_t i)
{
    hb_texts *texts = &page->texts;
    const hb_jid *jid = hb_jid_of(page, i);
    uint32_t at = page->slots[i].jid;

    if (!jid)
        return;
    uint32_t units = units_of(jid->length);
    memcpy(texts->bytes + bytes_of(at), &texts->pieces[units], sizeof at);
    texts->pieces[units] = at;
    texts->unused += units;
    page->slots[i].jid = 0;
}

void hb_jids_tidy(hb_core *core, hb_page *page)
{
    const hb_texts *texts = &page->texts;

    if (much_is_free(texts) && texts->unused > texts->used / 2)
        (void)pack(core, page, 0);
}

void hb_jids_free(hb_core *core, hb_page *page)
{
    move(core, &page->texts, NULL, 0);
}
