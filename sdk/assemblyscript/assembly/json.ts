/** The type of a Json value. */
export enum Kind {
  Missing,
  Null,
  Bool,
  Number,
  String,
  List,
  Object,
}

const QUOTE: u8 = 0x22;
const BACKSLASH: u8 = 0x5c;
const OPEN: u8 = 0x7b; // {
const CLOSE: u8 = 0x7d;
const OPEN_LIST: u8 = 0x5b; // [
const CLOSE_LIST: u8 = 0x5d;

/**
 * A piece of JSON that is read when asked. `new Json()` is missing.
 *
 * Reading stays inside the text whatever it holds, takes time linear in it and no
 * stack that depends on it. Text that is not JSON reads as missing where it goes
 * wrong.
 */
export class Json {
  /** The text lies in `buf`, from `start` up to `end`. */
  constructor(public buf: ArrayBuffer = new ArrayBuffer(0), public start: i32 = 0, public end: i32 = 0) {}

  /** The value that bytes hold. */
  static parse(buf: ArrayBuffer, start: i32 = 0, end: i32 = -1): Json {
    if (end < 0) end = buf.byteLength;
    const all = new Json(buf, start, end);
    const from = all.space(start);
    const to = all.valueEnd(from);
    return to < 0 ? new Json() : new Json(buf, from, to);
  }

  /** The value that a text holds: `Json.of('{"n":1}')`. */
  static of(text: string): Json {
    return Json.parse(String.UTF8.encode(text));
  }

  /** The type of the value. */
  get kind(): Kind {
    if (this.start >= this.end) return Kind.Missing;
    switch (this.byte(this.start)) {
      case 0x6e: return Kind.Null; // n
      case 0x74: // t
      case 0x66: return Kind.Bool; // f
      case QUOTE: return Kind.String;
      case OPEN_LIST: return Kind.List;
      case OPEN: return Kind.Object;
    }
    return Kind.Number;
  }

  /** Whether the value is there; null is. */
  get exists(): bool {
    return this.start < this.end;
  }

  /** The JSON text, empty when the value is missing. */
  get text(): string {
    return String.UTF8.decodeUnsafe(this.pointer, this.end - this.start);
  }

  /** The text of a string; empty for anything else. */
  get string(): string {
    return this.kind == Kind.String ? unquote(this.buf, this.start + 1, this.end - 1) : "";
  }

  /** A number, cut to an integer and to what an i64 holds; 0 for anything else. */
  get int(): i64 {
    if (this.kind != Kind.Number) return 0;
    let i = this.start;
    const minus = this.byte(i) == 0x2d;
    if (minus) i++;
    const most: u64 = minus ? (<u64>1) << 63 : ((<u64>1) << 63) - 1;
    let n: u64 = 0;
    const first = i;
    for (; i < this.end; i++) {
      const digit = <u64>this.byte(i) - 0x30;
      if (digit > 9 || n > (most - digit) / 10) break;
      n = n * 10 + digit;
    }
    if (i == this.end && i > first) return minus ? -(<i64>n) : <i64>n;
    const f = this.num;
    if (f >= 9223372036854775808.0) return i64.MAX_VALUE;
    if (f <= -9223372036854775808.0) return i64.MIN_VALUE;
    return <i64>f;
  }

  /** A number; 0 for anything else, and for what an f64 cannot hold. */
  get num(): f64 {
    if (this.kind != Kind.Number) return 0;
    const f = F64.parseFloat(this.text);
    return isFinite(f) ? f : 0;
  }

  /** A boolean; false for anything else. */
  get bool(): bool {
    return this.kind == Kind.Bool && this.byte(this.start) == 0x74;
  }

  /**
   * The part at `path`: names joined by dots, places in lists in brackets, names of
   * unusual form in brackets and quotes, as in `user.name`, `items[0].id`,
   * `["odd key"].x`. Missing when there is nothing there.
   */
  get(path: string): Json {
    let v: Json = this;
    const p = String.UTF8.encode(path);
    const n = p.byteLength;
    let at = 0;
    while (at < n && v.exists) {
      const step = new Json(p, 0, n);
      let end: i32;
      if (step.byte(at) != OPEN_LIST) {
        end = at;
        while (end < n && step.byte(end) != 0x2e && step.byte(end) != OPEN_LIST) end++;
        if (end == at) return new Json();
        v = v.find(p, at, end);
      } else if (at + 1 < n && step.byte(at + 1) == QUOTE) {
        end = step.stringEnd(at + 1);
        if (end < 0 || end >= n || step.byte(end) != CLOSE_LIST) return new Json();
        v = v.member(unquote(p, at + 2, end - 1));
        end++;
      } else {
        let index = 0;
        for (end = at + 1; end < n && digit(step.byte(end)) && index < 100000000; end++) index = index * 10 + (step.byte(end) - 0x30);
        if (end == at + 1 || end >= n || step.byte(end) != CLOSE_LIST) return new Json();
        v = v.at(index);
        end++;
      }
      const bracket = step.byte(at) == OPEN_LIST;
      if (end < n && step.byte(end) == 0x2e) {
        if (++end == n) return new Json();
      } else if (bracket && end < n && step.byte(end) != OPEN_LIST) return new Json();
      at = end;
    }
    return v;
  }

  /** The member of an object with that name. */
  member(name: string): Json {
    const b = String.UTF8.encode(name);
    return this.find(b, 0, b.byteLength);
  }

  /** An item of a list. */
  at(index: i32): Json {
    if (this.kind != Kind.List) return new Json();
    const it = new Walk(this);
    while (it.next()) if (index-- == 0) return it.value;
    return new Json();
  }

  /** The number of items of a list or of members of an object. */
  get length(): i32 {
    let n = 0;
    const it = new Walk(this);
    while (it.next()) n++;
    return n;
  }

  /** The items of a list or the values of an object, in the order of the text. */
  get items(): Json[] {
    const list: Json[] = [];
    const it = new Walk(this);
    while (it.next()) list.push(it.value);
    return list;
  }

  /** The names of the members of an object, in the order of the text. */
  get names(): string[] {
    const list: string[] = [];
    if (this.kind != Kind.Object) return list;
    const it = new Walk(this);
    while (it.next()) list.push(unquote(this.buf, it.keyStart + 1, it.keyEnd - 1));
    return list;
  }

  /** Where the text lies in memory. */
  get pointer(): usize {
    return changetype<usize>(this.buf) + this.start;
  }

  private find(name: ArrayBuffer, from: i32, to: i32): Json {
    if (this.kind != Kind.Object) return new Json();
    const it = new Walk(this);
    while (it.next()) if (it.named(name, from, to)) return it.value;
    return new Json();
  }

  byte(i: i32): u8 {
    return load<u8>(changetype<usize>(this.buf) + i);
  }

  space(i: i32): i32 {
    while (i < this.end && (this.byte(i) == 0x20 || this.byte(i) == 0x0a || this.byte(i) == 0x09 || this.byte(i) == 0x0d)) i++;
    return i;
  }

  stringEnd(i: i32): i32 {
    for (i++; i < this.end; i++) {
      const c = this.byte(i);
      if (c == QUOTE) return i + 1;
      if (c == BACKSLASH) i++;
    }
    return -1;
  }

  private nestedEnd(i: i32): i32 {
    const closing = this.byte(i) == OPEN ? CLOSE : CLOSE_LIST;
    let depth = 0;
    while (i < this.end) {
      const c = this.byte(i);
      if (c == QUOTE) {
        i = this.stringEnd(i);
        if (i < 0) return -1;
        continue;
      }
      if (c == OPEN || c == OPEN_LIST) depth++;
      if ((c == CLOSE || c == CLOSE_LIST) && --depth == 0) return c == closing ? i + 1 : -1;
      i++;
    }
    return -1;
  }

  private wordEnd(i: i32, word: string): i32 {
    for (let n = 0; n < word.length; n++, i++) {
      if (i >= this.end || this.byte(i) != <u8>word.charCodeAt(n)) return -1;
    }
    return i;
  }

  /** Where the value that starts at i ends, or -1. */
  valueEnd(i: i32): i32 {
    if (i >= this.end) return -1;
    const c = this.byte(i);
    switch (c) {
      case QUOTE: return this.stringEnd(i);
      case OPEN:
      case OPEN_LIST: return this.nestedEnd(i);
      case 0x74: return this.wordEnd(i, "true");
      case 0x66: return this.wordEnd(i, "false");
      case 0x6e: return this.wordEnd(i, "null");
    }
    if (c != 0x2d && !digit(c)) return -1;
    while (i < this.end && numeric(this.byte(i))) i++;
    return i;
  }
}

function digit(c: u8): bool {
  return c >= 0x30 && c <= 0x39;
}

function numeric(c: u8): bool {
  return digit(c) || c == 0x2d || c == 0x2b || c == 0x2e || c == 0x65 || c == 0x45;
}

/** Walks over a list or an object. */
class Walk {
  value: Json = new Json();
  keyStart: i32 = 0;
  keyEnd: i32 = 0;
  private at: i32;
  private object: bool;

  constructor(private list: Json) {
    this.object = list.kind == Kind.Object;
    this.at = this.object || list.kind == Kind.List ? list.start + 1 : -1;
  }

  next(): bool {
    const v = this.list;
    if (this.at < 0) return false;
    let i = v.space(this.at);
    if (this.at > v.start + 1 && i < v.end && v.byte(i) == 0x2c) i = v.space(i + 1);
    this.at = -1; // until all is well
    if (this.object) {
      if (i >= v.end || v.byte(i) != QUOTE) return false;
      this.keyStart = i;
      this.keyEnd = v.stringEnd(i);
      if (this.keyEnd < 0) return false;
      i = v.space(this.keyEnd);
      if (i >= v.end || v.byte(i) != 0x3a) return false;
      i = v.space(i + 1);
    }
    const end = v.valueEnd(i);
    if (end < 0) return false;
    this.value = new Json(v.buf, i, end);
    this.at = end;
    return true;
  }

  /** Compares without unescaping where there is nothing to unescape. */
  named(name: ArrayBuffer, from: i32, to: i32): bool {
    const v = this.list;
    for (let i = this.keyStart + 1; i < this.keyEnd - 1; i++) {
      if (v.byte(i) != BACKSLASH) continue;
      const plain = String.UTF8.encode(unquote(v.buf, this.keyStart + 1, this.keyEnd - 1));
      return same(plain, 0, plain.byteLength, name, from, to);
    }
    return same(v.buf, this.keyStart + 1, this.keyEnd - 1, name, from, to);
  }
}

function same(a: ArrayBuffer, aFrom: i32, aTo: i32, b: ArrayBuffer, bFrom: i32, bTo: i32): bool {
  if (aTo - aFrom != bTo - bFrom) return false;
  return memory.compare(changetype<usize>(a) + aFrom, changetype<usize>(b) + bFrom, aTo - aFrom) == 0;
}

/** The text of a JSON string that lies between its quotes, escapes removed. */
function unquote(buf: ArrayBuffer, from: i32, to: i32): string {
  const base = changetype<usize>(buf);
  let i = from;
  while (i < to && load<u8>(base + i) != BACKSLASH) i++;
  if (i == to) return String.UTF8.decodeUnsafe(base + from, to - from);
  const plain = new ArrayBuffer(to - from); // an escape is never shorter than what it stands for
  const out = changetype<usize>(plain);
  let n: usize = i - from;
  memory.copy(out, base + from, n);
  for (; i < to; i++) {
    let c = load<u8>(base + i);
    if (c == BACKSLASH && i + 1 < to) {
      c = load<u8>(base + ++i);
      switch (c) {
        case 0x6e: c = 0x0a; break;
        case 0x74: c = 0x09; break;
        case 0x72: c = 0x0d; break;
        case 0x62: c = 0x08; break;
        case 0x66: c = 0x0c; break;
        case 0x75: {
          const high = hex4(base, i + 1, to);
          if (high < 0) {
            c = 0x3f; // no digits: there is no room for more than a question mark
            break;
          }
          i += 4;
          let rune = <u32>high;
          if ((rune & 0xf800) == 0xd800) {
            const low = i + 2 < to && load<u8>(base + i + 1) == BACKSLASH && load<u8>(base + i + 2) == 0x75 ? hex4(base, i + 3, to) : -1;
            if (rune < 0xdc00 && (low & 0xfc00) == 0xdc00) {
              rune = 0x10000 + ((rune - 0xd800) << 10) + (<u32>low - 0xdc00);
              i += 6;
            } else rune = 0xfffd;
          }
          n += putRune(out + n, rune);
          continue;
        }
      }
    }
    store<u8>(out + n++, c);
  }
  return String.UTF8.decodeUnsafe(out, n);
}

/** Writes a character as UTF-8 and returns how many bytes it has. */
function putRune(to: usize, r: u32): usize {
  if (r < 0x80) {
    store<u8>(to, r);
    return 1;
  }
  const n: usize = r < 0x800 ? 2 : r < 0x10000 ? 3 : 4;
  for (let i = n - 1; i > 0; i--, r >>= 6) store<u8>(to + i, 0x80 | (r & 63));
  store<u8>(to, (0xf00 >> <u32>n) | r);
  return n;
}

function hex4(base: usize, i: i32, to: i32): i32 {
  if (to - i < 4) return -1;
  let v = 0;
  for (let end = i + 4; i < end; i++) {
    const c = load<u8>(base + i);
    if (digit(c)) v = (v << 4) | (c - 0x30);
    else if ((c | 32) >= 0x61 && (c | 32) <= 0x66) v = (v << 4) | ((c | 32) - 0x57);
    else return -1;
  }
  return v;
}
