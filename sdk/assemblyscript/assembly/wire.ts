/**
 * Walks over a message. After the first field that does not fit it gives zeros and
 * keeps that field's name, so that a decoder checks once, at the end.
 */
export class Reader {
  bad: string = "";

  constructor(public buf: ArrayBuffer, public at: i32 = 0, public end: i32 = buf.byteLength) {}

  /** Moves over n bytes and returns where they lie, or -1. */
  private cut(n: u32, field: string): i32 {
    if (n > <u32>(this.end - this.at)) {
      if (this.bad == "") this.bad = field;
      this.at = this.end;
      return -1;
    }
    const from = this.at;
    this.at += n;
    return from;
  }

  u8(field: string): u8 {
    const i = this.cut(1, field);
    return i < 0 ? 0 : load<u8>(changetype<usize>(this.buf) + i);
  }

  u16(field: string): u16 {
    const i = this.cut(2, field);
    return i < 0 ? 0 : load<u16>(changetype<usize>(this.buf) + i);
  }

  u32(field: string): u32 {
    const i = this.cut(4, field);
    return i < 0 ? 0 : load<u32>(changetype<usize>(this.buf) + i);
  }

  u64(field: string): u64 {
    const i = this.cut(8, field);
    return i < 0 ? 0 : load<u64>(changetype<usize>(this.buf) + i);
  }

  /** Moves over bytes with a length before them; a reader of them alone. */
  part(field: string): Reader {
    const n = this.u32(field);
    const i = this.cut(n, field);
    return i < 0 ? new Reader(this.buf, this.end, this.end) : new Reader(this.buf, i, i + n);
  }

  text(field: string): string {
    return this.part(field).tail();
  }

  /** What is left, as text. */
  tail(): string {
    return String.UTF8.decodeUnsafe(changetype<usize>(this.buf) + this.at, this.end - this.at);
  }

  /** What is left. */
  bytes(): ArrayBuffer {
    return this.buf.slice(this.at, this.end);
  }
}

function two(v: i64): string {
  return v < 10 ? "0" + v.toString() : v.toString();
}

/** A time in the form of RFC 3339, in UTC. */
export function timestamp(sec: i64, nsec: u32): string {
  let day = sec / 86400;
  let rest = sec % 86400;
  if (rest < 0) {
    rest += 86400;
    day--;
  }
  // Years that begin in March, counted in eras of 400 years from year 0.
  const z = day + 719468;
  const era = (z >= 0 ? z : z - 146096) / 146097;
  const doe = z - era * 146097;
  const yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const mp = (5 * doy + 2) / 153;
  const month = mp < 10 ? mp + 3 : mp - 9;
  const year = yoe + era * 400 + (month <= 2 ? 1 : 0);
  let s = year.toString().padStart(4, "0") + "-" + two(month) + "-" + two(doy - (153 * mp + 2) / 5 + 1);
  s += "T" + two(rest / 3600) + ":" + two((rest / 60) % 60) + ":" + two(rest % 60);
  if (nsec > 0) {
    let digits = nsec.toString().padStart(9, "0");
    let end = digits.length;
    while (end > 0 && digits.charCodeAt(end - 1) == 0x30) end--;
    s += "." + digits.substring(0, end);
  }
  return s + "Z";
}
