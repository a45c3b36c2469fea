import { Json } from "./json";

/** Bytes under construction. */
export class Bytes {
  private buf: ArrayBuffer = new ArrayBuffer(128);
  length: i32 = 0;

  /** Makes room for n bytes more and returns where they go. */
  room(n: i32): usize {
    const need = this.length + n;
    if (need > this.buf.byteLength) {
      const more = new ArrayBuffer(max(need, this.buf.byteLength * 2));
      memory.copy(changetype<usize>(more), changetype<usize>(this.buf), this.length);
      this.buf = more;
    }
    return changetype<usize>(this.buf) + this.length;
  }

  u8(v: u8): void {
    store<u8>(this.room(1), v);
    this.length++;
  }

  u32(v: u32): void {
    store<u32>(this.room(4), v);
    this.length += 4;
  }

  u64(v: u64): void {
    store<u64>(this.room(8), v);
    this.length += 8;
  }

  raw(p: usize, n: i32): void {
    memory.copy(this.room(n), p, n);
    this.length += n;
  }

  /** A text as UTF-8. Half a surrogate pair becomes the replacement character. */
  text(s: string): void {
    for (let i = 0; i < s.length; i++) i += this.rune(s, i);
  }

  /** Writes the character at i of s; 1 when it takes a pair. */
  rune(s: string, i: i32): i32 {
    let c = <u32>s.charCodeAt(i);
    let pair = 0;
    if ((c & 0xf800) == 0xd800) {
      const low = i + 1 < s.length ? <u32>s.charCodeAt(i + 1) : 0;
      if (c < 0xdc00 && (low & 0xfc00) == 0xdc00) {
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        pair = 1;
      } else c = 0xfffd;
    }
    if (c < 0x80) this.u8(<u8>c);
    else {
      if (c < 0x800) this.u8(<u8>(0xc0 | (c >> 6)));
      else {
        if (c < 0x10000) this.u8(<u8>(0xe0 | (c >> 12)));
        else {
          this.u8(<u8>(0xf0 | (c >> 18)));
          this.u8(<u8>(0x80 | ((c >> 12) & 63)));
        }
        this.u8(<u8>(0x80 | ((c >> 6) & 63)));
      }
      this.u8(<u8>(0x80 | (c & 63)));
    }
    return pair;
  }

  /** A length and a text. */
  field(s: string): void {
    const at = this.length;
    this.u32(0);
    this.text(s);
    store<u32>(changetype<usize>(this.buf) + at, this.length - at - 4);
  }

  get pointer(): usize {
    return changetype<usize>(this.buf);
  }

  done(): ArrayBuffer {
    return this.buf.slice(0, this.length);
  }
}

/**
 * Makes JSON text. Each method returns the writer, so that calls can be chained:
 *
 *     new Writer().object().setStr("user", user).setInt("n", 5).end().json
 *
 * Commas are its business; that every list and object that is opened is ended, and
 * every key has a value, is yours.
 */
export class Writer {
  private b: Bytes = new Bytes();
  private comma: bool = false;
  private closers: u8[] = [];

  /** What was written. */
  get json(): Json {
    return Json.parse(this.b.done());
  }

  object(): Writer {
    return this.open(0x7b, 0x7d);
  }

  list(): Writer {
    return this.open(0x5b, 0x5d);
  }

  /** Ends the list or object that was opened last. */
  end(): Writer {
    if (this.closers.length > 0) this.b.u8(this.closers.pop());
    this.comma = true;
    return this;
  }

  /** The name of a member; its value comes next. */
  key(name: string): Writer {
    this.value();
    this.quote(name);
    this.b.u8(0x3a);
    this.comma = false;
    return this;
  }

  str(s: string): Writer {
    this.value();
    this.quote(s);
    return this;
  }

  int(v: i64): Writer {
    return this.plain(v.toString());
  }

  uint(v: u64): Writer {
    return this.plain(v.toString());
  }

  /** Infinity and not-a-number, which JSON has not, become null. */
  num(v: f64): Writer {
    return this.plain(isFinite(v) ? v.toString() : "null");
  }

  bool(v: bool): Writer {
    return this.plain(v ? "true" : "false");
  }

  null(): Writer {
    return this.plain("null");
  }

  /** A value that is JSON already; null when it is missing. */
  put(v: Json): Writer {
    if (!v.exists) return this.null();
    this.value();
    this.b.raw(v.pointer, v.end - v.start);
    return this;
  }

  setStr(name: string, v: string): Writer {
    return this.key(name).str(v);
  }

  setInt(name: string, v: i64): Writer {
    return this.key(name).int(v);
  }

  setNum(name: string, v: f64): Writer {
    return this.key(name).num(v);
  }

  setBool(name: string, v: bool): Writer {
    return this.key(name).bool(v);
  }

  set(name: string, v: Json): Writer {
    return this.key(name).put(v);
  }

  private open(c: u8, closer: u8): Writer {
    this.value();
    this.b.u8(c);
    this.closers.push(closer);
    this.comma = false;
    return this;
  }

  private value(): void {
    if (this.comma) this.b.u8(0x2c);
    this.comma = true;
  }

  private plain(text: string): Writer {
    this.value();
    this.b.text(text);
    return this;
  }

  private quote(s: string): void {
    this.b.u8(0x22);
    for (let i = 0; i < s.length; i++) {
      const c = s.charCodeAt(i);
      if (c == 0x22 || c == 0x5c) {
        this.b.u8(0x5c);
        this.b.u8(<u8>c);
      } else if (c < 0x20) {
        this.b.text("\\u00");
        this.b.u8("0123456789abcdef".charCodeAt(c >> 4) as u8);
        this.b.u8("0123456789abcdef".charCodeAt(c & 15) as u8);
      } else i += this.b.rune(s, i);
    }
    this.b.u8(0x22);
  }
}
