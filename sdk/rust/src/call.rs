use crate::wire::{timestamp, Attr, Ext, Reader};
use crate::{Json, Value};
use std::borrow::Cow;
use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One invocation of the plugin. The services are its methods.
pub struct Call<'a> {
    /// The event that completed the match. Its fields are empty when time did, as
    /// for a rule that waits for something not to happen.
    pub event: Event<'a>,
    /// Which rule matched, and what.
    pub matched: Match<'a>,
    /// The arguments of the step: an object, or missing.
    pub with: Json<'a>,
    /// 1 for the first try.
    pub attempt: u32,
    /// The idempotency key of the step: the same for every attempt. Send it along
    /// with what must not happen twice.
    pub key: Cow<'a, str>,
    answers: RefCell<Vec<Box<[u8]>>>,
}

/// The event that completed the match: a CloudEvent.
pub struct Event<'a> {
    /// Identity, unique within the source.
    pub id: Cow<'a, str>,
    /// Where it came from.
    pub source: Cow<'a, str>,
    /// What happened; empty when the call has no event.
    pub type_: Cow<'a, str>,
    /// What it happened to, or empty.
    pub subject: Cow<'a, str>,
    /// Empty means `application/json`.
    pub datacontenttype: Cow<'a, str>,
    /// URI of what the payload conforms to, or empty.
    pub dataschema: Cow<'a, str>,
    /// The payload, as it came.
    pub data: &'a [u8],
    time: Option<(i64, u32)>,
    json: Json<'a>,
    ext: Ext<'a>,
}

impl<'a> Call<'a> {
    /// Reads an input frame, or names the field where that goes wrong.
    pub(crate) fn decode(frame: &'a [u8]) -> Result<Self, &'static str> {
        let mut r = Reader::new(frame);
        let version = r.u16("version");
        let flags = r.u16("flags");
        let flag = |bit: u16| flags >> bit & 1 == 1;
        let attempt = r.u32("attempt");
        let time = (r.u64("event.time") as i64, r.u32("event.time"));
        let text = |b| String::from_utf8_lossy(b);
        let key = text(r.bytes("key"));
        let matched = Match { json: Json::parse(r.bytes("match")) };
        let with = r.bytes("with");
        let mut event = Event {
            id: text(r.bytes("event.id")),
            source: text(r.bytes("event.source")),
            type_: text(r.bytes("event.type")),
            subject: text(r.bytes("event.subject")),
            datacontenttype: text(r.bytes("event.datacontenttype")),
            dataschema: text(r.bytes("event.dataschema")),
            data: r.bytes("event.data"),
            time: if flag(1) { Some(time) } else { None },
            json: Json::default(),
            ext: Ext { count: r.u32("event.ext"), r },
        };
        let mut ext = event.ext.clone();
        while ext.next().is_some() {}
        if let Some(field) = ext.r.bad {
            return Err(field);
        }
        if version != 1 {
            return Err("version");
        }
        if flag(2) && flag(3) {
            event.json = Json::parse(event.data);
        }
        let with = if flag(4) { Json::parse(with) } else { Json::default() };
        Ok(Call { event, matched, with, attempt, key, answers: RefCell::default() })
    }

    /// Keeps an answer for as long as the call.
    pub(crate) fn keep(&self, answer: Vec<u8>) -> &[u8] {
        let answer = answer.into_boxed_slice();
        let kept: *const [u8] = &*answer;
        self.answers.borrow_mut().push(answer);
        // SAFETY: the bytes lie in a box of their own, which stays in answers, is
        // never written to again and lives as long as self.
        unsafe { &*kept }
    }
}

impl<'a> Event<'a> {
    /// The payload; missing when there is none or it is not JSON.
    pub fn json(&self) -> Json<'a> {
        self.json
    }

    /// The part of the payload at `path`, as [`Json::get`] finds it.
    pub fn get(&self, path: &str) -> Json<'a> {
        self.json.get(path)
    }

    /// The string at `path` of the payload, or an empty one.
    pub fn string(&self, path: &str) -> Cow<'a, str> {
        self.get(path).string()
    }

    /// The number at `path` of the payload, or 0.
    pub fn int(&self, path: &str) -> i64 {
        self.get(path).int()
    }

    /// The number at `path` of the payload, or 0.
    pub fn float(&self, path: &str) -> f64 {
        self.get(path).float()
    }

    /// The boolean at `path` of the payload, or false.
    pub fn bool(&self, path: &str) -> bool {
        self.get(path).bool()
    }

    /// The time of the event: seconds since 1970-01-01T00:00:00Z and nanoseconds.
    pub fn unix_time(&self) -> Option<(i64, u32)> {
        self.time
    }

    /// The time of the event, where a `SystemTime` can hold it.
    pub fn time(&self) -> Option<SystemTime> {
        let (sec, nsec) = self.time?;
        system_time(sec, nsec)
    }

    /// An extension attribute; `None` when the event has none of that name. A time
    /// is a string in the form of RFC 3339.
    pub fn ext(&self, name: &str) -> Option<Value> {
        let mut ext = self.ext.clone();
        while let Some((has, attr)) = ext.next() {
            if has == name.as_bytes() {
                return Some(match attr {
                    Attr::Null => Value::null(),
                    Attr::Bool(b) => b.into(),
                    Attr::Number(f) => f.into(),
                    Attr::String(s) => String::from_utf8_lossy(s).into(),
                    Attr::Time(sec, nsec) => timestamp(sec, nsec).into(),
                    Attr::Json(text) => Json::parse(text).into(),
                });
            }
        }
        None
    }
}

pub(crate) fn system_time(sec: i64, nsec: u32) -> Option<SystemTime> {
    let whole = Duration::from_secs(sec.unsigned_abs());
    let at = if sec < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
    at?.checked_add(Duration::from_nanos(nsec.into()))
}

/// Which rule matched, and what.
#[derive(Debug, Clone, Copy)]
pub struct Match<'a> {
    json: Json<'a>,
}

impl<'a> Match<'a> {
    /// The tenant whose rule it is.
    pub fn tenant(&self) -> Cow<'a, str> {
        self.json.get("tenant").string()
    }

    /// The name of the rule.
    pub fn rule(&self) -> Cow<'a, str> {
        self.json.get("rule").string()
    }

    /// The version of the rule.
    pub fn version(&self) -> Cow<'a, str> {
        self.json.get("version").string()
    }

    /// The identity of the match: the same when the log is replayed.
    pub fn id(&self) -> Cow<'a, str> {
        self.json.get("id").string()
    }

    /// When the match happened, in the time of the events, as RFC 3339.
    pub fn at(&self) -> Cow<'a, str> {
        self.json.get("at").string()
    }

    /// The id of the event that completed the match, or `time`.
    pub fn trigger(&self) -> Cow<'a, str> {
        self.json.get("trigger").string()
    }

    /// The ids of the events that an element of the pattern stands for.
    pub fn bind(&self, element: &str) -> impl Iterator<Item = Cow<'a, str>> {
        self.json.get("bind").member(element).items().map(Json::string)
    }

    /// The match as `rhost match` prints it.
    pub fn json(&self) -> Json<'a> {
        self.json
    }
}
