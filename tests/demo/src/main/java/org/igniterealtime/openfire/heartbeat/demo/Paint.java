package org.igniterealtime.openfire.heartbeat.demo;

/** Colours, where they are wanted. Pad a text before it is painted. */
record Paint(boolean on) {
    enum Colour {
        BOLD("1"),
        DIM("2"),
        RED("1;31"),
        GREEN("32"),
        YELLOW("33"),
        CYAN("36");

        private final String code;

        Colour(String code) {
            this.code = code;
        }
    }

    /** null: as it is. */
    String in(Colour colour, String text) {
        return on && colour != null && !text.isEmpty() ? "\033[" + colour.code + "m" + text + "\033[0m" : text;
    }

    static Colour of(Board.Row row) {
        switch (row.state()) {
            case "alive":
                return Colour.GREEN;
            case "pinging":
            case "pinged":
                return Colour.YELLOW;
            case "closing":
                return Colour.RED;
            default:
                return Colour.DIM;
        }
    }

    static Colour of(Board.Moment moment) {
        switch (moment.source()) {
            case CLIENT:
                return Colour.DIM;
            case CONTACT:
                return Colour.CYAN;
            default:
                return moment.what().startsWith("ping:")
                        ? Colour.YELLOW
                        : moment.what().startsWith("session over:") ? null : Colour.RED;
        }
    }
}
