// A client over BOSH, as people really use them: Strophe, as it comes. Arguments: address, domain, user, password, resource.
import { webcrypto } from "node:crypto";
import { DOMParser } from "@xmldom/xmldom";
import XMLHttpRequest from "xhr2";
import { say, take } from "./talk.js";

// What browsers have, and Node has not.
globalThis.crypto ??= webcrypto;
globalThis.XMLHttpRequest = class extends XMLHttpRequest {
  get responseXML() {
    return this.responseText ? new DOMParser().parseFromString(this.responseText, "text/xml") : null;
  }
};
const { $pres, Strophe } = await import("strophe.js");

const [service, domain, username, password, resource] = process.argv.slice(2);
const connection = new Strophe.Connection(service);

// It answers a ping as any request that it does not know: by an error, which is a sign of life as good as another.
connection.rawInput = (body) => {
  if (body.includes("urn:xmpp:ping")) {
    say("ping");
  }
};

take({
  logout: () => {
    connection.send($pres({ type: "unavailable" }).c("status").t("bye"));
    connection.flush();
    connection.disconnect();
  },
});
connection.connect(`${username}@${domain}/${resource}`, password, (status, condition) => {
  if (status === Strophe.Status.CONNECTED) {
    connection.send($pres());
    say("online", connection.jid);
  } else if (status === Strophe.Status.DISCONNECTED) {
    say("disconnected");
  } else if (condition) {
    say("error", condition);
  }
});
