package org.igniterealtime.openfire.plugin.heartbeat.commands;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.dom4j.Element;
import org.igniterealtime.openfire.plugin.heartbeat.web.Texts;
import org.xmpp.forms.DataForm;
import org.xmpp.forms.FormField;

/** One step of a command: what was sent, and what is answered. */
final class Answer {
    private static final String VALIDATION = "http://jabber.org/protocol/xdata-validate";

    /** In the language of whoever runs the command. */
    final Texts texts;

    private final Map<String, List<String>> sent;
    private final Element command;

    /** @param command what is sent as the answer */
    Answer(Texts texts, Map<String, List<String>> sent, Element command) {
        this.texts = texts;
        this.sent = sent;
        this.command = command;
    }

    /** The first value of a field without the blanks around it; empty if there is none. */
    String sent(String field) {
        List<String> values = sent.get(field);
        String value = values == null || values.isEmpty() ? null : values.get(0);
        return value == null ? "" : value.trim();
    }

    /** How much a note matters (XEP-0050, section 3.5). */
    enum Severity {
        INFO,
        WARN,
        ERROR
    }

    void note(Severity severity, String text) {
        Element note = command.addElement("note");
        note.addAttribute("type", severity.name().toLowerCase(Locale.ROOT));
        note.setText(text);
    }

    void error(String text) {
        note(Severity.ERROR, text);
    }

    /** Adds what a form has become. */
    void form(DataForm form) {
        command.add(form.getElement());
    }

    DataForm ask(String title, String instruction) {
        DataForm form = new DataForm(DataForm.Type.form);
        form.setTitle(title);
        form.addInstruction(instruction);
        return form;
    }

    DataForm result(String title) {
        DataForm form = new DataForm(DataForm.Type.result);
        form.setTitle(title);
        return form;
    }

    static FormField field(DataForm form, FormField.Type type, String name, String label, Object value) {
        FormField field = form.addField(name, label, type);
        if (value != null) {
            field.addValue(value);
        }
        return field;
    }

    /** A field for a whole number; the range is for the client to check (XEP-0122). */
    static void number(DataForm form, String name, String label, long value, long least, long most) {
        field(form, FormField.Type.text_single, name, label, value).setRequired(true);
        List<?> fields = form.getElement().elements("field");
        Element validate = ((Element) fields.get(fields.size() - 1)).addElement("validate", VALIDATION);
        validate.addAttribute("datatype", "xs:integer");
        validate.addElement("range")
                .addAttribute("min", Long.toString(least))
                .addAttribute("max", Long.toString(most));
    }

    /** A text for a field of one line. */
    static String line(String text) {
        return text.replaceAll("\\s+", " ").trim();
    }
}
