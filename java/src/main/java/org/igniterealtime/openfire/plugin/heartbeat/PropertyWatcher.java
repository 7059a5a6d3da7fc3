package org.igniterealtime.openfire.plugin.heartbeat;

import java.util.Map;
import org.jivesoftware.util.PropertyEventListener;

/** Hears that a property was set or deleted, which is the same to us. Ours are not kept in the configuration file. */
interface PropertyWatcher extends PropertyEventListener {

    /** Called by the thread that changed it. */
    void propertyChanged(String property);

    @Override
    default void propertySet(String property, Map<String, Object> params) {
        propertyChanged(property);
    }

    @Override
    default void propertyDeleted(String property, Map<String, Object> params) {
        propertyChanged(property);
    }

    @Override
    default void xmlPropertySet(String property, Map<String, Object> params) {
        // Of the configuration file.
    }

    @Override
    default void xmlPropertyDeleted(String property, Map<String, Object> params) {
        // Of the configuration file.
    }
}
