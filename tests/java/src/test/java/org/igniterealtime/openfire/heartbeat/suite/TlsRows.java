package org.igniterealtime.openfire.heartbeat.suite;

import java.util.List;

/** The rows that are played over TLS: nothing is different there. */
final class TlsRows {
    private static final int SOME = 10;

    private TlsRows() {}

    static List<Row> all() {
        return List.of(
                new Row("tls-silent", stage -> silent(stage, false)),
                new Row("tls-silent-direct", stage -> silent(stage, true)),
                new Row("tls-space", stage -> space(stage, false)),
                new Row("tls-space-direct", stage -> space(stage, true)));
    }

    private static void silent(Stage stage, boolean direct) throws Exception {
        Rows.silent(stage, SOME, part -> stage.loginOverTls(part, direct));
    }

    private static void space(Stage stage, boolean direct) throws Exception {
        Rows.spaces(stage, Rows.RARE, part -> stage.loginOverTls(part, direct));
    }
}
