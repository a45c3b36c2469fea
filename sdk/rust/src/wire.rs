//! The bytes of abi/SPEC.md.

/// Walks over a message. After the first field that does not fit it gives zeros
/// and keeps that field's name, so that a decoder checks once, at the end.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    pub bad: Option<&'static str>,
}

impl<'a> Reader<'a> {
    pub fn new(message: &'a [u8]) -> Self {
        Reader { rest: message, bad: None }
    }

    fn cut(&mut self, n: usize, field: &'static str) -> &'a [u8] {
        if n > self.rest.len() {
            self.bad.get_or_insert(field);
            self.rest = &[];
            return &[];
        }
        let (head, rest) = self.rest.split_at(n);
        self.rest = rest;
        head
    }

    fn fixed(&mut self, n: usize, field: &'static str) -> u64 {
        self.cut(n, field).iter().rev().fold(0, |v, &b| v << 8 | u64::from(b))
    }

    pub fn u8(&mut self, field: &'static str) -> u8 {
        self.fixed(1, field) as u8
    }

    pub fn u16(&mut self, field: &'static str) -> u16 {
        self.fixed(2, field) as u16
    }

    pub fn u32(&mut self, field: &'static str) -> u32 {
        self.fixed(4, field) as u32
    }

    pub fn u64(&mut self, field: &'static str) -> u64 {
        self.fixed(8, field)
    }

    pub fn bytes(&mut self, field: &'static str) -> &'a [u8] {
        let n = self.u32(field) as usize;
        self.cut(n, field)
    }

    pub fn tail(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }
}

pub(crate) fn put_bytes(to: &mut Vec<u8>, b: &[u8]) {
    to.extend_from_slice(&(b.len() as u32).to_le_bytes());
    to.extend_from_slice(b);
}

/// A name and a tail: emit, notify, state_set.
pub(crate) fn named(name: &str, tail: &[u8]) -> Vec<u8> {
    let mut m = Vec::with_capacity(4 + name.len() + tail.len());
    put_bytes(&mut m, name.as_bytes());
    m.extend_from_slice(tail);
    m
}

/// Extension attributes as they lie in the frame.
#[derive(Clone)]
pub(crate) struct Ext<'a> {
    pub count: u32,
    pub r: Reader<'a>,
}

pub(crate) enum Attr<'a> {
    Null,
    Bool(bool),
    Number(f64),
    String(&'a [u8]),
    Time(i64, u32),
    Json(&'a [u8]),
}

impl<'a> Ext<'a> {
    pub fn next(&mut self) -> Option<(&'a [u8], Attr<'a>)> {
        const FIELD: &str = "event.ext";
        if self.count == 0 {
            return None;
        }
        self.count -= 1;
        let name = self.r.bytes(FIELD);
        let attr = match self.r.u8(FIELD) {
            0 => Attr::Null,
            1 => Attr::Bool(self.r.u8(FIELD) != 0),
            2 => Attr::Number(f64::from_bits(self.r.u64(FIELD))),
            3 => Attr::String(self.r.bytes(FIELD)),
            4 => Attr::Time(self.r.u64(FIELD) as i64, self.r.u32(FIELD)),
            5 | 6 => Attr::Json(self.r.bytes(FIELD)),
            _ => {
                self.r.bad.get_or_insert(FIELD);
                Attr::Null
            }
        };
        if self.r.bad.is_some() {
            self.count = 0;
            return None;
        }
        Some((name, attr))
    }
}

/// A time in the form of RFC 3339, in UTC.
pub fn timestamp(sec: i64, nsec: u32) -> String {
    // Years that begin in March, counted in eras of 400 years from year 0.
    let (day, rest) = (sec.div_euclid(86_400), sec.rem_euclid(86_400));
    let z = day + 719_468;
    let (era, doe) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    let day = doy - (153 * mp + 2) / 5 + 1;
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    let mut s = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if nsec > 0 {
        s += format!(".{nsec:09}").trim_end_matches('0');
    }
    s.push('Z');
    s
}
