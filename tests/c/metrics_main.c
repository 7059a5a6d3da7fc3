/* metrics text|open: what hb_core_metrics tells of a small fleet, for the parsers of tests/check-metrics. */
#include <stdio.h>
#include <string.h>

#include "support.h"

int main(int argc, char **argv)
{
    static char text[HB_METRICS_BYTES];
    static rig r;
    size_t length = 0;
    rig_due due;
    rig_init(&r, 0);
    rig_policy(&r, "{\"idle\": \"10s\", \"ack_timeout\": \"5s\", \"retries\": 0}", 20000, true);
    hb_token alive = rig_login(&r, "alive@example.org/a", true);
    (void)rig_login(&r, "dead@example.org/a", true);
    for (int i = 0; i < 40; i++) {
        rig_step(&r, rig_second(&r) + 1);
        while (rig_take(&r, &due)) {
            hb_order order;
            (void)hb_core_begin(r.core, due.action.token, (hb_verb)due.action.verb, 0, r.now_us, &order);
            if (order.verb == HB_PING && due.action.token == alive) {
                (void)hb_core_pong(r.core, alive, order.text, order.length, r.now_us + 31000);
                rig_read(&r, alive);
            }
        }
    }
    if (argc != 2 || hb_core_metrics(r.core, strcmp(argv[1], "open") == 0, text, sizeof text, &length) != HB_OK) {
        return 1;
    }
    rig_close(&r);
    return fwrite(text, 1, length, stdout) == length ? 0 : 1;
}
