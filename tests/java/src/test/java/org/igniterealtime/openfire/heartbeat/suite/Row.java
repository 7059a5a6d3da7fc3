package org.igniterealtime.openfire.heartbeat.suite;

/** A row of the table: its name and how it is played. */
record Row(String name, Play play) {
    interface Play {
        void on(Stage stage) throws Exception;
    }
}
