package org.igniterealtime.openfire.heartbeat.launcher;

import com.opensymphony.module.sitemesh.HTMLPage;
import com.opensymphony.module.sitemesh.RequestConstants;
import java.io.IOException;
import java.io.PrintWriter;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.dom4j.Element;
import org.jivesoftware.admin.AdminConsole;

/**
 * Stands in for the frame that the console puts around pages, which is not on Maven Central: the head, the title, the side
 * bar that the page belongs to, with what is in the menu of this server. As there, it has attributes with style and script.
 */
public final class ConsoleFrame extends HttpServlet {
    private static final long serialVersionUID = 1L;

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
        HTMLPage page = (HTMLPage) request.getAttribute(RequestConstants.PAGE);
        response.setContentType("text/html; charset=UTF-8");
        PrintWriter out = response.getWriter();
        out.write("<!DOCTYPE html><html lang=\"en\"><head><meta name=\"viewport\" content=\"width=device-width\"><title>Openfire: ");
        out.write(page.getTitle());
        out.write("</title><link rel=\"stylesheet\" href=\"/style/global.css\">");
        page.writeHead(out);
        out.write("</head><body id=\"jive-body\"><div id=\"jive-main\"><table style=\"width: 100%\"><tbody>"
                + "<tr style=\"vertical-align: top\"><td><div id=\"jive-sidebar-container\"><div id=\"jive-sidebar\">");
        writeMenu(page.getProperty("meta.pageID"), out);
        out.write("</div></div></td><td id=\"jive-content\"><h1>");
        out.write(page.getTitle());
        out.write("</h1><div id=\"jive-main-content\">");
        page.writeBody(out);
        out.write("</div></td></tr></tbody></table></div></body></html>");
    }

    private static void writeMenu(String pageId, PrintWriter out) {
        Element item = pageId == null ? null : AdminConsole.getElemnetByID(pageId);
        if (item == null) {
            return;
        }
        for (Object each : item.getParent().elements("item")) {
            Element entry = (Element) each;
            String name = text(entry, "name");
            out.write("<p><a id=\"menu-" + entry.attributeValue("id") + "\" href=\"/" + entry.attributeValue("url")
                    + "\" title=\"" + text(entry, "description").replace("\"", "&quot;")
                    + "\" onmouseover=\"self.status='x';return true;\">" + name + "</a></p>");
        }
    }

    private static String text(Element entry, String attribute) {
        String text = entry.attributeValue(attribute);
        return text == null ? "" : String.valueOf(AdminConsole.getAdminText(text, entry.attributeValue("plugin")));
    }
}
