//! A host in memory, so that handlers run in `cargo test`:
//!
//! ```
//! use rhost::testing::{Host, Input};
//! # use rhost::{object, Call};
//! # fn lock(c: &Call) -> rhost::Result {
//! #     c.emit("account.locked", object! { "user": c.event.string("user") })
//! # }
//!
//! let mut host = Host::new();
//! let r = host.run(lock, &Input::event("ssh.failed", r#"{"user": "bob"}"#));
//! assert_eq!("ok", r.result, "{}", r.message);
//! assert_eq!(vec![r#"{"user":"bob"}"#], r.emitted("account.locked"));
//! ```
//!
//! Requests and answers pass through the same bytes as in a built plugin. State and
//! kv last from one run to the next when the result is ok. Limits of fuel and memory
//! are not here, and JSON is not checked: `rhost plugin test` does both.

use crate::wire::{put_bytes, Reader};
use crate::{Handler, Json};
use std::cell::RefCell;
use std::collections::HashMap;

/// Stands in for the host. Its fields may be changed between runs.
#[derive(Debug, Clone)]
pub struct Host {
    /// The plugin's settings, a JSON object.
    pub config: String,
    /// What the clock shows: seconds since 1970-01-01T00:00:00Z and nanoseconds.
    pub now: (i64, u32),
    /// Services that answer "denied": `emit`, `state_get`, `now`, …
    pub deny: Vec<String>,
    /// Secrets that are granted.
    pub secrets: HashMap<String, Vec<u8>>,
    /// Answers to requests of HTTP, by method and URL, as `GET https://example.com/`:
    /// status, content type and body. Other requests are denied.
    pub http: HashMap<String, (u32, String, Vec<u8>)>,
    /// The services that were called last, with the bytes of their requests.
    pub requests: Vec<(String, Vec<u8>)>,
    state: HashMap<Vec<u8>, Entry>,
    kv: HashMap<Vec<u8>, Vec<u8>>,
    seed: u32,
    run: Running,
}

#[derive(Debug, Clone, Default)]
struct Entry {
    version: u64,
    value: Vec<u8>, // empty: deleted
}

/// What a run gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// `ok`, `fail`, `retry` or `drop`.
    pub result: &'static str,
    /// Why, for results other than ok.
    pub message: String,
    /// The output of the step, JSON.
    pub output: Option<String>,
    /// In order; empty unless the result is ok.
    pub effects: Vec<Effect>,
    /// Levels (`info`) and lines.
    pub logs: Vec<(&'static str, String)>,
}

/// Something that the handler asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// `emit`, `notify`, `state_set` or `kv_set`.
    pub kind: String,
    /// Event type, topic or key.
    pub name: String,
    /// JSON, or the bytes of a kv value; empty for none.
    pub value: Vec<u8>,
}

impl Outcome {
    /// The payloads of the events of a type that were emitted.
    pub fn emitted(&self, event_type: &str) -> Vec<&str> {
        self.values("emit", event_type)
    }

    /// The messages to a topic.
    pub fn notified(&self, topic: &str) -> Vec<&str> {
        self.values("notify", topic)
    }

    fn values(&self, kind: &str, name: &str) -> Vec<&str> {
        let wanted = self.effects.iter().filter(|e| e.kind == kind && e.name == name);
        wanted.map(|e| std::str::from_utf8(&e.value).unwrap_or("(not UTF-8)")).collect()
    }
}

/// The call that a handler gets. The default is the first attempt of a step that
/// time caused.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct Input<'a> {
    /// Type of the event; empty when there is none.
    pub event_type: &'a str,
    /// Payload of the event: JSON, unless `content_type` says otherwise.
    pub data: Option<&'a str>,
    pub id: &'a str,
    pub source: &'a str,
    pub subject: &'a str,
    pub content_type: &'a str,
    /// Seconds since 1970-01-01T00:00:00Z and nanoseconds.
    pub time: Option<(i64, u32)>,
    /// Extension attributes, all strings.
    pub ext: &'a [(&'a str, &'a str)],
    /// Arguments of the step, a JSON object.
    pub with: Option<&'a str>,
    /// JSON; the default is a match of rule "test" and tenant "default".
    pub matched: Option<&'a str>,
    /// 0 means 1.
    pub attempt: u32,
    pub key: &'a str,
}

impl<'a> Input<'a> {
    /// A call with an event and its payload.
    pub fn event(event_type: &'a str, data: &'a str) -> Self {
        Input { event_type, data: Some(data), id: "event-1", key: "key-1", ..Input::default() }
    }

    /// The same call with arguments of the step.
    pub fn with(self, with: &'a str) -> Self {
        Input { with: Some(with), ..self }
    }

    fn frame(&self) -> Vec<u8> {
        let event = !self.event_type.is_empty();
        let flags = [event, self.time.is_some(), self.data.is_some(), is_json(self.content_type), self.with.is_some()];
        let bits = flags.iter().rev().fold(0u16, |bits, &on| bits << 1 | u16::from(on));
        let trigger = if event { self.id } else { "time" };
        let matched = format!(
            r#"{{"tenant":"default","rule":"test","version":"1","id":"match-1","at":"2026-01-01T00:00:00Z","trigger":"{trigger}","bind":{{}}}}"#
        );
        let (sec, nsec) = self.time.unwrap_or_default();
        let mut f = vec![1, 0];
        f.extend_from_slice(&bits.to_le_bytes());
        f.extend_from_slice(&self.attempt.max(1).to_le_bytes());
        f.extend_from_slice(&sec.to_le_bytes());
        f.extend_from_slice(&nsec.to_le_bytes());
        let fields = [
            self.key,
            self.matched.unwrap_or(&matched),
            self.with.unwrap_or(""),
            self.id,
            self.source,
            self.event_type,
            self.subject,
            self.content_type,
            "",
            self.data.unwrap_or(""),
        ];
        for field in fields {
            put_bytes(&mut f, field.as_bytes());
        }
        f.extend_from_slice(&(self.ext.len() as u32).to_le_bytes());
        for (name, value) in self.ext {
            put_bytes(&mut f, name.as_bytes());
            f.push(3);
            put_bytes(&mut f, value.as_bytes());
        }
        f
    }
}

fn is_json(content_type: &str) -> bool {
    let t = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    t.is_empty() || t == "application/json" || t == "text/json" || t.ends_with("+json")
}

/// What a handler has done so far.
#[derive(Debug, Clone, Default)]
struct Running {
    frame: Vec<u8>,
    kept: Option<Vec<u8>>,
    code: i32,
    outcome: Outcome,
    state: HashMap<Vec<u8>, Entry>,
    kv: HashMap<Vec<u8>, Vec<u8>>,
}

thread_local! {
    static HOST: RefCell<Option<Host>> = RefCell::new(None);
}

/// The host of the handler that runs on this thread.
pub(crate) fn running<T>(f: impl FnOnce(&mut Host) -> T) -> T {
    HOST.with(|h| f(h.borrow_mut().as_mut().expect("handlers run in rhost::testing::Host::run")))
}

impl Default for Host {
    fn default() -> Self {
        Host::new()
    }
}

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const DENIED: u32 = 3;
const INVALID: u32 = 4;
const CONFLICT: u32 = 5;
const LIMIT: u32 = 6;

impl Host {
    /// A host with an empty state, whose clock stands at the start of 2026 and whose
    /// random bytes are the same in every test.
    pub fn new() -> Self {
        Host {
            config: "{}".into(),
            now: (1_767_225_600, 0),
            deny: Vec::new(),
            secrets: HashMap::new(),
            http: HashMap::new(),
            requests: Vec::new(),
            state: HashMap::new(),
            kv: HashMap::new(),
            seed: 0,
            run: Running::default(),
        }
    }

    /// Puts a JSON value into the state.
    pub fn set_state(&mut self, key: &str, value: &str) {
        let version = self.state.get(key.as_bytes()).map_or(0, |e| e.version) + 1;
        self.set_state_at(key, value, version);
    }

    /// Puts a JSON value into the state, at a version.
    pub fn set_state_at(&mut self, key: &str, value: &str, version: u64) {
        self.state.insert(key.into(), Entry { version, value: value.into() });
    }

    /// A value of the state, JSON.
    pub fn state(&self, key: &str) -> Option<&str> {
        let e = self.state.get(key.as_bytes()).filter(|e| !e.value.is_empty())?;
        std::str::from_utf8(&e.value).ok()
    }

    /// Puts bytes into the kv store.
    pub fn set_kv(&mut self, key: &str, value: &[u8]) {
        self.kv.insert(key.into(), value.into());
    }

    /// A value of the kv store.
    pub fn kv(&self, key: &str) -> Option<&[u8]> {
        self.kv.get(key.as_bytes()).map(|v| &**v).filter(|v| !v.is_empty())
    }

    /// Runs a handler once. A handler that panics panics here too.
    pub fn run(&mut self, handler: Handler, input: &Input<'_>) -> Outcome {
        self.run_frame(handler, &input.frame())
    }

    /// Runs a handler on the bytes of an input frame.
    pub fn run_frame(&mut self, handler: Handler, frame: &[u8]) -> Outcome {
        self.run = Running { frame: frame.into(), ..Running::default() };
        self.requests.clear();
        HOST.with(|h| *h.borrow_mut() = Some(self.clone()));
        let mut code = crate::invoke(handler, frame.len() as u32);
        if let Some(h) = HOST.with(|h| h.borrow_mut().take()) {
            *self = h;
        }
        if code == 0 {
            code = self.run.code;
        }
        let mut outcome = std::mem::take(&mut self.run.outcome);
        outcome.result = ["ok", "fail", "retry", "drop"][code as usize];
        if code == 0 {
            self.state.extend(std::mem::take(&mut self.run.state));
            self.kv.extend(std::mem::take(&mut self.run.kv));
        } else {
            outcome.effects.clear();
        }
        outcome
    }

    pub(crate) fn input(&mut self, dst: &mut [u8]) {
        dst.copy_from_slice(&self.run.frame);
    }

    pub(crate) fn output(&mut self, b: &[u8]) {
        self.run.outcome.output = Some(String::from_utf8_lossy(b).into_owned());
    }

    pub(crate) fn fail(&mut self, code: i32, why: &[u8]) {
        self.run.code = code;
        self.run.outcome.message = String::from_utf8_lossy(why).into_owned();
    }

    pub(crate) fn log(&mut self, level: i32, line: &[u8]) {
        let level = ["debug", "info", "warn", "error"][level.clamp(0, 3) as usize];
        self.run.outcome.logs.push((level, String::from_utf8_lossy(line).into_owned()));
    }

    pub(crate) fn take(&mut self, dst: &mut [u8]) -> i32 {
        match self.run.kept.take() {
            None => -1,
            Some(kept) if kept.len() > dst.len() => {
                let n = kept.len() as i32;
                self.run.kept = Some(kept);
                n
            }
            Some(kept) => {
                dst[..kept.len()].copy_from_slice(&kept);
                kept.len() as i32
            }
        }
    }

    pub(crate) fn item(&mut self, _: u32) {}

    pub(crate) fn serve(&mut self, service: &str, request: &[u8], answer: &mut [u8]) -> u64 {
        self.run.kept = None;
        self.requests.push((service.into(), request.into()));
        if self.deny.iter().any(|d| d == service) {
            return u64::from(DENIED) << 32;
        }
        match self.answer(service, request) {
            Err(status) => u64::from(status) << 32,
            Ok(b) if b.len() > answer.len() => {
                let n = b.len() as u64;
                self.run.kept = Some(b);
                2 << 32 | n
            }
            Ok(b) => {
                answer[..b.len()].copy_from_slice(&b);
                b.len() as u64
            }
        }
    }

    fn answer(&mut self, service: &str, request: &[u8]) -> Result<Vec<u8>, u32> {
        let name = || String::from_utf8_lossy(request).into_owned();
        let mut r = Reader::new(request);
        match service {
            "emit" | "notify" => {
                let (name, data) = (r.bytes("name"), r.tail());
                check(r.bad.is_none() && !name.is_empty() && (service == "emit" || !data.is_empty()))?;
                self.effect(service, name, data);
                Ok(Vec::new())
            }
            "state_get" => {
                let e = self.entry(request);
                if e.value.is_empty() {
                    return Err(NOT_FOUND);
                }
                Ok([&e.version.to_le_bytes(), &e.value[..]].concat())
            }
            "state_set" | "state_cas" => {
                let expect = if service == "state_cas" { Some(r.u64("expect")) } else { None };
                let (key, value) = (r.bytes("key"), r.tail());
                check(r.bad.is_none() && !key.is_empty())?;
                self.write(key, value, expect)
            }
            "kv_get" => {
                let value = self.run.kv.get(request).or_else(|| self.kv.get(request));
                value.filter(|v| !v.is_empty()).cloned().ok_or(NOT_FOUND)
            }
            "kv_set" => {
                let (key, _ttl, value) = (r.bytes("key"), r.u64("ttl"), r.tail());
                check(r.bad.is_none() && !key.is_empty())?;
                self.run.kv.insert(key.into(), value.into());
                self.effect(service, key, value);
                Ok(Vec::new())
            }
            "config" if request.is_empty() => Ok(self.config.clone().into_bytes()),
            "config" => {
                let v = Json::parse(self.config.as_bytes()).member(&name());
                if v.exists() {
                    Ok(v.raw().into())
                } else {
                    Err(NOT_FOUND)
                }
            }
            "now" => Ok([&self.now.0.to_le_bytes()[..], &self.now.1.to_le_bytes()].concat()),
            "random" => self.random_bytes(r.u32("count")),
            "http" => {
                let (method, url) = (r.bytes("method"), r.bytes("url"));
                let target = [method, b" ", url].concat();
                let (status, content_type, body) = self.http.get(&*String::from_utf8_lossy(&target)).ok_or(DENIED)?;
                let mut a = [status.to_le_bytes(), 1u32.to_le_bytes()].concat();
                put_bytes(&mut a, b"content-type");
                put_bytes(&mut a, content_type.as_bytes());
                a.extend_from_slice(body);
                Ok(a)
            }
            "secret" => self.secrets.get(&name()).cloned().ok_or(NOT_FOUND),
            "has" if self.deny.contains(&name()) => Err(DENIED),
            _ => Ok(Vec::new()),
        }
    }

    fn effect(&mut self, kind: &str, name: &[u8], value: &[u8]) {
        let name = String::from_utf8_lossy(name).into_owned();
        self.run.outcome.effects.push(Effect { kind: kind.into(), name, value: value.into() });
    }

    fn entry(&self, key: &[u8]) -> Entry {
        self.run.state.get(key).or_else(|| self.state.get(key)).cloned().unwrap_or_default()
    }

    fn write(&mut self, key: &[u8], value: &[u8], expect: Option<u64>) -> Result<Vec<u8>, u32> {
        let old = self.entry(key);
        let version = if old.value.is_empty() { 0 } else { old.version };
        if expect.unwrap_or(version) != version {
            return Err(CONFLICT);
        }
        self.run.state.insert(key.into(), Entry { version: old.version + 1, value: value.into() });
        self.effect("state_set", key, value);
        Ok(Vec::new())
    }

    fn random_bytes(&mut self, n: u32) -> Result<Vec<u8>, u32> {
        if n > 4096 {
            return Err(LIMIT);
        }
        let mut next = || {
            self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (self.seed >> 24) as u8
        };
        Ok((0..n).map(|_| next()).collect())
    }
}

fn check(ok: bool) -> Result<u32, u32> {
    if ok {
        Ok(OK)
    } else {
        Err(INVALID)
    }
}
