// A client over WebSocket, as people really use them: xmpp.js, as it comes. Arguments: address, domain, user, password, resource.
import { webcrypto } from "node:crypto";
import { client, xml } from "@xmpp/client";
import WebSocket from "ws";
import { say, take } from "./talk.js";

// What browsers have, and the Node of Debian 12 has not.
globalThis.WebSocket = WebSocket;
globalThis.crypto ??= webcrypto;

const [service, domain, username, password, resource] = process.argv.slice(2);
const xmpp = client({ service, domain, username, password, resource });
let socket;

xmpp.on("error", (error) => say("error", error.message));
xmpp.on("connect", () => {
  socket = xmpp.socket.socket;
});
xmpp.on("disconnect", () => say("disconnected"));
xmpp.on("online", async (address) => {
  await xmpp.send(xml("presence"));
  say("online", address.toString());
});
xmpp.on("stanza", (stanza) => {
  if (stanza.is("iq") && stanza.getChild("ping", "urn:xmpp:ping")) {
    say("ping", stanza.attrs.id);
  }
});
xmpp.streamManagement.on("resumed", () => say("resumed"));

take({
  // As a network that goes: no closing handshake.
  cut: () => socket.terminate(),
});
xmpp.start().catch((error) => say("failed", error.message));
