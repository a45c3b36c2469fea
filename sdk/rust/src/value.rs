use crate::Json;
use std::borrow::Cow;

/// Something that services take: JSON under construction. Made with
/// [`object!`](crate::object), [`list!`](crate::list), or `into()` from basic types,
/// [`Json`], `Vec` and `Option`.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    text: Vec<u8>,
}

impl Value {
    /// JSON null.
    pub fn null() -> Self {
        Value { text: b"null".to_vec() }
    }

    /// JSON text, passed on as it is.
    pub fn raw(text: impl Into<Vec<u8>>) -> Self {
        Value { text: text.into() }
    }

    /// A list.
    pub fn list(items: impl IntoIterator<Item = Value>) -> Self {
        let mut text = vec![b'['];
        for item in items {
            separate(&mut text);
            text.extend_from_slice(&item.text);
        }
        text.push(b']');
        Value { text }
    }

    /// An object with members in that order.
    pub fn object<K: AsRef<str>>(members: impl IntoIterator<Item = (K, Value)>) -> Self {
        let mut text = vec![b'{'];
        for (name, value) in members {
            separate(&mut text);
            quote(&mut text, name.as_ref());
            text.push(b':');
            text.extend_from_slice(&value.text);
        }
        text.push(b'}');
        Value { text }
    }

    /// The JSON text.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The value, for reading.
    pub fn json(&self) -> Json<'_> {
        Json::parse(&self.text)
    }
}

/// Writes the comma before an item that is not the first.
fn separate(text: &mut Vec<u8>) {
    if text.len() > 1 {
        text.push(b',');
    }
}

fn quote(text: &mut Vec<u8>, s: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    text.push(b'"');
    for c in s.bytes() {
        match c {
            b'"' | b'\\' => text.extend_from_slice(&[b'\\', c]),
            b'\n' => text.extend_from_slice(b"\\n"),
            0..=31 => {
                text.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[(c >> 4) as usize], HEX[(c & 15) as usize]])
            }
            _ => text.push(c),
        }
    }
    text.push(b'"');
}

impl From<&str> for Value {
    fn from(s: &str) -> Self {
        let mut text = Vec::with_capacity(s.len() + 2);
        quote(&mut text, s);
        Value { text }
    }
}

impl From<String> for Value {
    fn from(s: String) -> Self {
        Value::from(s.as_str())
    }
}

impl From<&String> for Value {
    fn from(s: &String) -> Self {
        Value::from(s.as_str())
    }
}

impl From<Cow<'_, str>> for Value {
    fn from(s: Cow<'_, str>) -> Self {
        Value::from(&*s)
    }
}

impl From<&Cow<'_, str>> for Value {
    fn from(s: &Cow<'_, str>) -> Self {
        Value::from(&**s)
    }
}

impl From<bool> for Value {
    fn from(v: bool) -> Self {
        Value::raw(if v { "true" } else { "false" })
    }
}

macro_rules! from_integers {
    ($($t:ty)*) => { $(
        impl From<$t> for Value {
            fn from(v: $t) -> Self {
                Value::raw(v.to_string())
            }
        }
    )* };
}
from_integers!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize);

impl From<f64> for Value {
    /// Infinity and not-a-number, which JSON has not, become null.
    fn from(v: f64) -> Self {
        let size = v.abs();
        if !v.is_finite() {
            Value::null()
        } else if size == 0.0 || (1e-6..1e15).contains(&size) {
            Value::raw(v.to_string())
        } else {
            Value::raw(format!("{v:e}"))
        }
    }
}

impl From<Json<'_>> for Value {
    /// A missing value becomes null.
    fn from(v: Json<'_>) -> Self {
        if v.exists() {
            Value::raw(v.raw())
        } else {
            Value::null()
        }
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(v: Vec<T>) -> Self {
        Value::list(v.into_iter().map(Into::into))
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(v: Option<T>) -> Self {
        v.map_or_else(Value::null, Into::into)
    }
}

/// Makes an object: `object! { "user": user, "n": 5 }`.
#[macro_export]
macro_rules! object {
    ($($name:literal : $value:expr),* $(,)?) => {
        $crate::Value::object::<&str>([$(($name, $crate::Value::from($value))),*])
    };
}

/// Makes a list: `list!["a", 5]`.
#[macro_export]
macro_rules! list {
    ($($value:expr),* $(,)?) => {
        $crate::Value::list([$($crate::Value::from($value)),*])
    };
}
