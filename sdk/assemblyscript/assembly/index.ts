/**
 * SDK for rhost plugins written in AssemblyScript. A plugin is a function that is
 * handed to `plugin`, and exports what the host calls:
 *
 *     import { Call, OK, Result, Writer, plugin } from "../rhost-sdk/assembly";
 *     export * from "../rhost-sdk/assembly/plugin";
 *
 *     plugin((c: Call): Result => {
 *       const user = c.event.get("user").string;
 *       if (user == "") return c.fail("the event names no user");
 *       c.emit("account.locked", new Writer().object().setStr("user", user).end().json);
 *       return OK;
 *     });
 *
 * In order: Call is one invocation, with its Event, Match and services (services.ts,
 * call.ts); Json reads (json.ts); Writer makes JSON (writer.ts).
 */
export { Event, Match } from "./call";
export { Json, Kind } from "./json";
export { Answer, Call, Handler, Header, Level, Now, OK, Request, Response, Result, Status, Stored, plugin, statusText } from "./services";
export { timestamp } from "./wire";
export { Writer } from "./writer";
