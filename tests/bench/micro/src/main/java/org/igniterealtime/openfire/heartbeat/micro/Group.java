package org.igniterealtime.openfire.heartbeat.micro;

import java.util.List;

/** Rows that are measured together, in a process of their own. */
interface Group {
    List<Result> run(Scale scale) throws Exception;
}
