// How the tests talk with a client: a line for each thing that happens to it on standard output, commands on standard input.
import { createInterface } from "node:readline";

export function say(...words) {
  console.log(words.join(" "));
}

/** Takes commands, by their names, until the tests are gone. */
export function take(commands) {
  createInterface({ input: process.stdin })
    .on("line", (line) => commands[line]())
    .on("close", () => process.exit());
  say("pid", process.pid);
}
