package org.igniterealtime.openfire.plugin.heartbeat.web;

import com.samskivert.mustache.Mustache;
import java.text.MessageFormat;
import java.text.NumberFormat;
import java.time.Instant;
import java.time.format.DateTimeFormatter;
import java.time.format.FormatStyle;
import java.util.Locale;
import java.util.MissingResourceException;
import java.util.ResourceBundle;
import java.util.concurrent.TimeUnit;
import org.jivesoftware.util.JiveGlobals;

/**
 * The texts of the pages and commands in one language: files {@code i18n/heartbeat_i18n*.properties}, English where there is no other.
 * In templates {@code {{text.KEY}}}.
 */
public final class Texts implements Mustache.CustomContext {
    private static final String BUNDLE = "heartbeat_i18n";

    private final Locale locale;
    private final ResourceBundle bundle;

    public Texts(Locale locale) {
        this.locale = locale;
        // Never in the language of the machine: English is what is complete.
        this.bundle = ResourceBundle.getBundle(
                BUNDLE,
                locale,
                Texts.class.getClassLoader(),
                ResourceBundle.Control.getNoFallbackControl(ResourceBundle.Control.FORMAT_PROPERTIES));
    }

    /** In the language of the console. */
    public static Texts current() {
        return new Texts(JiveGlobals.getLocale());
    }

    /** The language that the texts are in, as HTML's lang attribute wants it. */
    String language() {
        String tag = bundle.getLocale().toLanguageTag();
        return tag.equals("und") ? "en" : tag;
    }

    @Override
    public Object get(String key) {
        return "language".equals(key) ? language() : of(key);
    }

    boolean has(String key) {
        return bundle.containsKey(key);
    }

    /** A text; its key where there is none. */
    public String of(String key) {
        try {
            return bundle.getString(key);
        } catch (MissingResourceException e) {
            return key;
        }
    }

    /** A text with values in the place of {0}, {1}, ... ({@link MessageFormat}). */
    public String of(String key, Object... values) {
        return new MessageFormat(of(key), locale).format(values);
    }

    public String number(long value) {
        return NumberFormat.getIntegerInstance(locale).format(value);
    }

    /** A number with one decimal place, if it has any. */
    String decimal(double value) {
        NumberFormat format = NumberFormat.getNumberInstance(locale);
        format.setMaximumFractionDigits(1);
        return format.format(value);
    }

    String time(long ms) {
        return DateTimeFormatter.ofLocalizedDateTime(FormatStyle.MEDIUM)
                .withLocale(locale)
                .withZone(JiveGlobals.getTimeZone().toZoneId())
                .format(Instant.ofEpochMilli(ms));
    }

    /** A time span in words, of its two largest units: "2 min", "1 h 30 min". */
    public String span(long seconds) {
        long days = TimeUnit.SECONDS.toDays(seconds);
        long hours = TimeUnit.SECONDS.toHours(seconds) % TimeUnit.DAYS.toHours(1);
        long minutes = TimeUnit.SECONDS.toMinutes(seconds) % TimeUnit.HOURS.toMinutes(1);
        long rest = seconds % TimeUnit.MINUTES.toSeconds(1);
        if (days > 0) {
            return join("span-days", days, "span-hours", hours);
        }
        if (hours > 0) {
            return join("span-hours", hours, "span-minutes", minutes);
        }
        if (minutes > 0) {
            return join("span-minutes", minutes, "span-seconds", rest);
        }
        return of("span-seconds", rest);
    }

    private String join(String largeKey, long large, String smallKey, long small) {
        String text = of(largeKey, large);
        return small == 0 ? text : text + " " + of(smallKey, small);
    }

    /** A round trip: "12 ms", "1.4 s". */
    public String roundTrip(long us) {
        NumberFormat format = NumberFormat.getNumberInstance(locale);
        boolean isLong = us >= TimeUnit.SECONDS.toMicros(1);
        double value = us / (isLong ? 1e6 : 1e3);
        format.setMaximumFractionDigits(value < 10 ? 1 : 0);
        return of(isLong ? "round-trip-s" : "round-trip-ms", format.format(value));
    }
}
