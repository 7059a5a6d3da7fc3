package org.igniterealtime.openfire.heartbeat.suite;

import java.io.StringReader;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.xml.parsers.DocumentBuilderFactory;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;
import org.igniterealtime.openfire.heartbeat.harness.Stanza;
import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.xml.sax.InputSource;

/** A command (XEP-0050) that a client runs, and its last answer. */
final class AdHoc {
    private static final String COMMANDS = "http://jabber.org/protocol/commands";
    private static final String FORMS = "jabber:x:data";

    private final RawClient client;
    private final String node;
    private String session;
    private Stanza answer;
    private Element iq;

    private AdHoc(RawClient client, String node) {
        this.client = client;
        this.node = node;
    }

    /** Begins it; the answer may be an error. */
    static AdHoc begin(RawClient client, String node) {
        AdHoc command = new AdHoc(client, node);
        command.send("execute", "");
        return command;
    }

    /** The nodes of the commands that the server offers to this one. */
    static List<String> offeredTo(RawClient client) {
        Stanza reply = client.request(
                "get",
                domain(client),
                "<query xmlns='http://jabber.org/protocol/disco#items' node='" + COMMANDS + "'/>");
        return all(parse(reply), "item").stream().map(item -> item.getAttribute("node")).toList();
    }

    private static String domain(RawClient client) {
        return client.jid().replaceAll("^[^@]*@|/.*$", "");
    }

    /** Goes on with an action and a form: names and values in turns. */
    AdHoc go(String action, String... fields) {
        StringBuilder form = new StringBuilder("<x xmlns='" + FORMS + "' type='submit'>");
        for (int i = 0; i < fields.length; i += 2) {
            form.append("<field var='").append(fields[i]).append("'><value>").append(escape(fields[i + 1]))
                    .append("</value></field>");
        }
        send(action, form + "</x>");
        return this;
    }

    /** Goes on without a form. */
    AdHoc go(String action) {
        send(action, "");
        return this;
    }

    private void send(String action, String form) {
        String its = session == null ? "" : " sessionid='" + session + "'";
        answer = client.ask(
                "set",
                domain(client),
                "<command xmlns='" + COMMANDS + "' node='" + node + "' action='" + action + "'" + its + ">" + form
                        + "</command>");
        iq = parse(answer);
        if (!isError()) {
            session = command().getAttribute("sessionid");
        }
    }

    private static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("'", "&apos;");
    }

    private static Element parse(Stanza stanza) {
        try {
            DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
            factory.setNamespaceAware(true);
            return factory.newDocumentBuilder()
                    .parse(new InputSource(new StringReader(stanza.toString())))
                    .getDocumentElement();
        } catch (Exception e) {
            throw new IllegalStateException("not well-formed: " + stanza, e);
        }
    }

    boolean isError() {
        return "error".equals(iq.getAttribute("type"));
    }

    /** The condition of the error (RFC 6120, section 8.3.3). */
    String error() {
        for (Node node = all(iq, "error").get(0).getFirstChild(); node != null; node = node.getNextSibling()) {
            if (node instanceof Element) {
                return node.getLocalName();
            }
        }
        return "";
    }

    private Element command() {
        return all(iq, "command").get(0);
    }

    String status() {
        return command().getAttribute("status");
    }

    /** The actions that are allowed now, and behind "=" the one that "execute" stands for. */
    String actions() {
        List<Element> actions = all(command(), "actions");
        if (actions.isEmpty()) {
            return "";
        }
        List<String> names = new ArrayList<>();
        for (Node node = actions.get(0).getFirstChild(); node != null; node = node.getNextSibling()) {
            names.add(node.getLocalName());
        }
        return String.join(" ", names) + "=" + actions.get(0).getAttribute("execute");
    }

    /** Type and text of each note. */
    List<String> notes() {
        return all(command(), "note").stream()
                .map(note -> note.getAttribute("type") + ": " + note.getTextContent())
                .toList();
    }

    private List<Element> forms() {
        return all(command(), "x").stream().filter(x -> FORMS.equals(x.getNamespaceURI())).toList();
    }

    boolean hasForm() {
        return !forms().isEmpty();
    }

    String formType() {
        return forms().get(0).getAttribute("type");
    }

    String title() {
        return all(forms().get(0), "title").get(0).getTextContent();
    }

    /** The type of a field and its values; null: there is no such field. */
    String field(String name) {
        return all(forms().get(0), "field").stream()
                .filter(field -> field.getAttribute("var").equals(name))
                .findFirst()
                .map(field -> field.getAttribute("type") + ": " + values(field))
                .orElse(null);
    }

    /** The texts of fields that are for reading only. */
    List<String> fixed() {
        return all(forms().get(0), "field").stream()
                .filter(field -> field.getAttribute("type").equals("fixed"))
                .map(AdHoc::values)
                .toList();
    }

    private static String values(Element field) {
        return String.join("\n", all(field, "value").stream().map(Element::getTextContent).toList());
    }

    /** The rows of a table: values by the names of its columns, all of which each row must have. */
    List<Map<String, String>> rows() {
        List<Element> reported = all(forms().get(0), "reported");
        List<String> columns =
                all(reported.get(0), "field").stream().map(field -> field.getAttribute("var")).toList();
        List<Map<String, String>> rows = new ArrayList<>();
        for (Element item : all(forms().get(0), "item")) {
            Map<String, String> row = new LinkedHashMap<>();
            all(item, "field").forEach(field -> row.put(field.getAttribute("var"), values(field)));
            if (!List.copyOf(row.keySet()).equals(columns)) {
                throw new AssertionError("a row that is not like its table: " + this);
            }
            rows.add(row);
        }
        return rows;
    }

    private static List<Element> all(Element within, String name) {
        List<Element> found = new ArrayList<>();
        for (int i = 0; i < within.getElementsByTagNameNS("*", name).getLength(); i++) {
            found.add((Element) within.getElementsByTagNameNS("*", name).item(i));
        }
        return found;
    }

    @Override
    public String toString() {
        return answer.toString();
    }
}
