use std::borrow::Cow;

/// A piece of JSON that is read when asked. The default is missing.
///
/// Reading stays inside the text whatever it holds, takes time linear in it and no
/// stack that depends on it. Text that is not JSON reads as missing where it goes
/// wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Json<'a> {
    raw: &'a [u8],
}

/// The type of a [`Json`] value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Missing,
    Null,
    Bool,
    Number,
    String,
    List,
    Object,
}

impl<'a> Json<'a> {
    /// The value that a text holds.
    pub fn parse(text: &'a [u8]) -> Self {
        let start = space(text, 0);
        match value_end(text, start) {
            Some(end) => Json { raw: &text[start..end] },
            None => Json::default(),
        }
    }

    /// The JSON text; empty when the value is missing.
    pub fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// The type of the value.
    pub fn kind(self) -> Kind {
        match self.raw.first() {
            None => Kind::Missing,
            Some(b'n') => Kind::Null,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'"') => Kind::String,
            Some(b'[') => Kind::List,
            Some(b'{') => Kind::Object,
            Some(_) => Kind::Number,
        }
    }

    /// Whether the value is there; null is.
    pub fn exists(self) -> bool {
        !self.raw.is_empty()
    }

    /// The text of a string; empty for anything else. Bytes that are not UTF-8
    /// become the replacement character.
    pub fn string(self) -> Cow<'a, str> {
        if self.kind() != Kind::String {
            return Cow::Borrowed("");
        }
        unquote(self.raw)
    }

    /// A number, cut to an integer and to what an `i64` holds; 0 for anything else.
    pub fn int(self) -> i64 {
        if self.kind() != Kind::Number {
            return 0;
        }
        match std::str::from_utf8(self.raw).ok().and_then(|s| s.parse().ok()) {
            Some(n) => n,
            None => self.float() as i64,
        }
    }

    /// A number; 0 for anything else, and for what an `f64` cannot hold.
    pub fn float(self) -> f64 {
        if self.kind() != Kind::Number {
            return 0.0;
        }
        let parsed = std::str::from_utf8(self.raw).ok().and_then(|s| s.parse::<f64>().ok());
        parsed.filter(|f| f.is_finite()).unwrap_or(0.0)
    }

    /// A boolean; false for anything else.
    pub fn bool(self) -> bool {
        self.raw.first() == Some(&b't')
    }

    /// The part at `path`: names joined by dots, places in lists in brackets, names
    /// of unusual form in brackets and quotes, as in `user.name`, `items[0].id`,
    /// `["odd key"].x`. Missing when there is nothing there.
    pub fn get(self, path: &str) -> Json<'a> {
        let mut v = self;
        let mut rest = path;
        while !rest.is_empty() && v.exists() {
            match next_step(rest) {
                Some((Step::Name(name), tail)) => {
                    v = v.member(&name);
                    rest = tail;
                }
                Some((Step::Place(i), tail)) => {
                    v = v.at(i);
                    rest = tail;
                }
                None => return Json::default(),
            }
        }
        v
    }

    /// The member of an object with that name.
    pub fn member(self, name: &str) -> Json<'a> {
        self.quoted_members().find(|(key, _)| unquote(key) == name).map_or(Json::default(), |(_, v)| v)
    }

    /// An item of a list.
    pub fn at(self, index: usize) -> Json<'a> {
        self.items().nth(index).unwrap_or_default()
    }

    /// The number of items of a list or of members of an object.
    pub fn len(self) -> usize {
        match self.kind() {
            Kind::List => self.items().count(),
            _ => self.quoted_members().count(),
        }
    }

    /// Whether the value has neither items nor members.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The items of a list in order; nothing for any other value.
    pub fn items(self) -> Items<'a> {
        let text = if self.kind() == Kind::List { self.raw } else { &[] };
        Items { text, at: space(text, 1) }
    }

    /// The members of an object in the order of the text; nothing for any other
    /// value.
    pub fn members(self) -> Members<'a> {
        Members { quoted: self.quoted_members() }
    }

    fn quoted_members(self) -> Quoted<'a> {
        let text = if self.kind() == Kind::Object { self.raw } else { &[] };
        Quoted { text, at: space(text, 1) }
    }
}

/// The items of a list; see [`Json::items`].
pub struct Items<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Items<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Json<'a>> {
        let end = value_end(self.text, self.at);
        let start = std::mem::replace(&mut self.at, self.text.len());
        let end = end?;
        self.at = comma(self.text, end);
        Some(Json { raw: &self.text[start..end] })
    }
}

/// The members of an object; see [`Json::members`].
pub struct Members<'a> {
    quoted: Quoted<'a>,
}

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, Json<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.quoted.next().map(|(key, v)| (unquote(key), v))
    }
}

struct Quoted<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Quoted<'a> {
    type Item = (&'a [u8], Json<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.text;
        let start = std::mem::replace(&mut self.at, text.len());
        if text.get(start) != Some(&b'"') {
            return None;
        }
        let key_end = string_end(text, start)?;
        let colon = space(text, key_end);
        if text.get(colon) != Some(&b':') {
            return None;
        }
        let from = space(text, colon + 1);
        let end = value_end(text, from)?;
        self.at = comma(text, end);
        Some((&text[start..key_end], Json { raw: &text[from..end] }))
    }
}

fn space(b: &[u8], mut i: usize) -> usize {
    while matches!(b.get(i), Some(b' ' | b'\n' | b'\t' | b'\r')) {
        i += 1;
    }
    i
}

/// Where the next item starts, or the closing bracket lies.
fn comma(b: &[u8], i: usize) -> usize {
    let i = space(b, i);
    if b.get(i) == Some(&b',') {
        return space(b, i + 1);
    }
    i
}

/// Where the value that starts at `i` ends.
fn value_end(b: &[u8], i: usize) -> Option<usize> {
    match b.get(i)? {
        b'"' => string_end(b, i),
        b'{' | b'[' => nested_end(b, i),
        b't' => word_end(b, i, b"true"),
        b'f' => word_end(b, i, b"false"),
        b'n' => word_end(b, i, b"null"),
        b'-' | b'0'..=b'9' => {
            let len = b[i..].iter().take_while(|c| matches!(c, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).count();
            Some(i + len)
        }
        _ => None,
    }
}

fn word_end(b: &[u8], i: usize, word: &[u8]) -> Option<usize> {
    b[i..].starts_with(word).then(|| i + word.len())
}

fn string_end(b: &[u8], start: usize) -> Option<usize> {
    let mut i = start + 1;
    loop {
        match b.get(i)? {
            b'"' => return Some(i + 1),
            b'\\' => i += 2,
            _ => i += 1,
        }
    }
}

fn nested_end(b: &[u8], start: usize) -> Option<usize> {
    let closing = if b[start] == b'{' { b'}' } else { b']' };
    let (mut i, mut depth) = (start, 0usize);
    loop {
        match *b.get(i)? {
            b'"' => {
                i = string_end(b, i)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            c @ (b'}' | b']') => {
                depth -= 1;
                if depth == 0 {
                    return (c == closing).then(|| i + 1);
                }
            }
            _ => {}
        }
        i += 1;
    }
}

/// The text of a JSON string, quotes and escapes removed.
fn unquote(q: &[u8]) -> Cow<'_, str> {
    let inner = q.get(1..q.len().saturating_sub(1)).unwrap_or_default();
    if !inner.contains(&b'\\') {
        return String::from_utf8_lossy(inner);
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut i = 0;
    while let Some(&c) = inner.get(i) {
        i += 1;
        let escape = if c == b'\\' { inner.get(i) } else { None };
        match escape {
            None => out.push(c),
            Some(b'u') => {
                let (r, n) = escaped(&inner[i + 1..]);
                out.extend_from_slice(r.encode_utf8(&mut [0; 4]).as_bytes());
                i += 1 + n;
            }
            Some(&e) => {
                out.push(match e {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    b'b' => 8,
                    b'f' => 12,
                    other => other,
                });
                i += 1;
            }
        }
    }
    Cow::Owned(String::from_utf8(out).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
}

/// What follows `\u`, with a second escape when the first is half a pair, and how
/// many bytes it takes.
fn escaped(q: &[u8]) -> (char, usize) {
    let high = match hex4(q) {
        Some(v) => v,
        None => return (char::REPLACEMENT_CHARACTER, 0),
    };
    if let Some(c) = char::from_u32(high) {
        return (c, 4);
    }
    if q.get(4..6) == Some(b"\\u") {
        let low = hex4(&q[6..]).unwrap_or(0);
        if (0xd800..0xdc00).contains(&high) && (0xdc00..0xe000).contains(&low) {
            let pair = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            return (char::from_u32(pair).unwrap_or(char::REPLACEMENT_CHARACTER), 10);
        }
    }
    (char::REPLACEMENT_CHARACTER, 4)
}

fn hex4(q: &[u8]) -> Option<u32> {
    let mut v = 0;
    for &c in q.get(..4)? {
        v = v << 4 | (c as char).to_digit(16)?;
    }
    Some(v)
}

enum Step<'p> {
    Name(Cow<'p, str>),
    Place(usize),
}

/// Takes the first step off a path that is not empty.
fn next_step(path: &str) -> Option<(Step<'_>, &str)> {
    let b = path.as_bytes();
    let (step, rest) = if b[0] != b'[' {
        let end = path.find(['.', '[']).unwrap_or(path.len());
        if end == 0 {
            return None;
        }
        (Step::Name(Cow::Borrowed(&path[..end])), &path[end..])
    } else if b.get(1) == Some(&b'"') {
        let end = string_end(b, 1)?;
        (Step::Name(unquote(&b[1..end])), path.get(end..)?.strip_prefix(']')?)
    } else {
        let end = path.find(']')?;
        let digits = &path[1..end];
        if !digits.bytes().all(|c| c.is_ascii_digit()) {
            return None;
        }
        (Step::Place(digits.parse().ok()?), &path[end + 1..])
    };
    match rest.strip_prefix('.') {
        Some("") => None,
        Some(tail) => Some((step, tail)),
        None if rest.is_empty() || rest.starts_with('[') => Some((step, rest)),
        None => None,
    }
}
