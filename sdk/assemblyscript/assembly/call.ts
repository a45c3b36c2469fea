import { Json } from "./json";
import { Reader, timestamp } from "./wire";
import { Writer } from "./writer";

/** The event that completed the match: a CloudEvent. */
export class Event {
  id: string = "";
  source: string = "";
  /** Empty when time completed the match; all fields are then. */
  type: string = "";
  subject: string = "";
  /** Empty means application/json. */
  datacontenttype: string = "";
  dataschema: string = "";
  hasTime: bool = false;
  /** Seconds since 1970-01-01T00:00:00Z. */
  sec: i64 = 0;
  nsec: u32 = 0;
  /** The payload; missing when there is none or it is not JSON. */
  data: Json = new Json();
  /** The payload, as it came. */
  raw: Reader = new Reader(new ArrayBuffer(0));
  private ext_: Reader = new Reader(new ArrayBuffer(0));
  private extCount: u32 = 0;

  /** The part of the payload at a path, as Json.get finds it. */
  get(path: string): Json {
    return this.data.get(path);
  }

  /** The time in the form of RFC 3339, empty when the event has none. */
  get time(): string {
    return this.hasTime ? timestamp(this.sec, this.nsec) : "";
  }

  /**
   * An extension attribute; missing when the event has none of that name. A time is
   * a string in the form of RFC 3339.
   */
  ext(name: string): Json {
    const r = new Reader(this.ext_.buf, this.ext_.at, this.ext_.end);
    for (let i: u32 = 0; i < this.extCount && r.bad == ""; i++) {
      const has = r.text("event.ext");
      const v = readAttr(r);
      if (r.bad == "" && has == name) return v;
    }
    return new Json();
  }

  /** Reads the variable part of the event from a frame. */
  read(r: Reader): void {
    this.id = r.text("event.id");
    this.source = r.text("event.source");
    this.type = r.text("event.type");
    this.subject = r.text("event.subject");
    this.datacontenttype = r.text("event.datacontenttype");
    this.dataschema = r.text("event.dataschema");
    this.raw = r.part("event.data");
    this.extCount = r.u32("event.ext");
    this.ext_ = new Reader(r.buf, r.at, r.end);
    for (let i: u32 = 0; i < this.extCount && r.bad == ""; i++) {
      r.part("event.ext");
      readAttr(r);
    }
  }
}

function readAttr(r: Reader): Json {
  const field = "event.ext";
  const w = new Writer();
  switch (r.u8(field)) {
    case 0: return w.null().json;
    case 1: return w.bool(r.u8(field) != 0).json;
    case 2: return w.num(reinterpret<f64>(r.u64(field))).json;
    case 3: return w.str(r.text(field)).json;
    case 4: {
      const sec = <i64>r.u64(field);
      return w.str(timestamp(sec, r.u32(field))).json;
    }
    case 5:
    case 6: {
      const text = r.part(field);
      return Json.parse(text.buf, text.at, text.end);
    }
  }
  if (r.bad == "") r.bad = field;
  return new Json();
}

/** Which rule matched, and what. */
export class Match {
  /** The match as `rhost match` prints it. */
  constructor(public json: Json = new Json()) {}

  get tenant(): string { return this.json.get("tenant").string; }
  get rule(): string { return this.json.get("rule").string; }
  get version(): string { return this.json.get("version").string; }
  /** The same when the log is replayed. */
  get id(): string { return this.json.get("id").string; }
  /** When it happened, in the time of the events, as RFC 3339. */
  get at(): string { return this.json.get("at").string; }
  /** The id of the event that completed the match, or "time". */
  get trigger(): string { return this.json.get("trigger").string; }

  /** The ids of the events that an element of the pattern stands for. */
  bind(element: string): string[] {
    return this.json.get("bind").member(element).items.map<string>((id: Json): string => id.string);
  }
}
