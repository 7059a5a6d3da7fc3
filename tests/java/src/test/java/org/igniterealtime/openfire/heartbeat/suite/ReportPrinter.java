package org.igniterealtime.openfire.heartbeat.suite;

import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestPlan;

/** Writes and prints the report when all is done, if rows were played. Found by its name in META-INF/services. */
public final class ReportPrinter implements TestExecutionListener {
    @Override
    public void testPlanExecutionFinished(TestPlan plan) {
        if (Report.isEmpty()) {
            return;
        }
        System.out.println(Report.text());
        System.out.println("Written to " + Report.write());
    }
}
