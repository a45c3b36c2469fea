use crate::call::system_time;
use crate::sys::{self, Service};
use crate::wire::{named, put_bytes, Reader};
use crate::{Call, Error, Json, Result, Status, Value};
use std::borrow::Cow;
use std::time::SystemTime;

/// The severity of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Level {
    Debug = 0,
    Info = 1,
    Warn = 2,
    Error = 3,
}

/// A value of the state, with its version.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stored<'a> {
    /// Missing when the key is absent.
    pub value: Json<'a>,
    /// Grows with every write; 0 when the key is absent. For [`Call::state_cas`].
    pub version: u64,
}

/// A request of HTTP.
#[derive(Debug, Clone, Default)]
pub struct Request<'a> {
    /// As `GET`.
    pub method: &'a str,
    /// With scheme and host.
    pub url: &'a str,
    /// Names and values.
    pub headers: &'a [(&'a str, &'a str)],
    /// What is sent.
    pub body: &'a [u8],
    /// Milliseconds; 0: what is left of the call.
    pub timeout: u32,
}

/// The answer to a [`Request`].
#[derive(Debug, Clone)]
pub struct Response<'a> {
    /// As 200.
    pub status: u32,
    /// Names and values.
    pub headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// What came.
    pub body: &'a [u8],
}

impl Response<'_> {
    /// The value of a header; upper and lower case are the same.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(has, _)| has.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }
}

/// Room for most answers, so that few need a second call.
const USUAL_ANSWER: usize = 512;

/// Makes a request and returns the answer.
fn ask(name: &'static str, service: Service, request: &[u8]) -> Result<Vec<u8>> {
    let mut answer = vec![0; USUAL_ANSWER];
    let result = service(request, &mut answer);
    let (status, len) = ((result >> 32) as u32, result as u32 as usize);
    match status {
        0 if len <= answer.len() => {
            answer.truncate(len);
            Ok(answer)
        }
        2 => {
            // The service has run; its answer waits to be taken.
            answer.resize(len, 0);
            if sys::take(&mut answer) == len as i32 {
                Ok(answer)
            } else {
                Err(Error::refused(name, Status::Internal))
            }
        }
        _ => Err(Error::refused(name, Status::from_code(status))),
    }
}

/// Turns the status "not found" into `None`.
fn found<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(v) => Ok(Some(v)),
        Err(e) if e.status() == Some(Status::NotFound) => Ok(None),
        Err(e) => Err(e),
    }
}

fn short(service: &'static str) -> Error {
    Error::refused(service, Status::Internal)
}

impl Call<'_> {
    /// Asks for a new event with a payload. Effects (emit, notify, state, kv) happen
    /// together when the handler returns `Ok`.
    pub fn emit(&self, event_type: &str, data: impl Into<Value>) -> Result {
        ask("emit", sys::emit, &named(event_type, data.into().text())).map(|_| ())
    }

    /// Asks for a new event without a payload.
    pub fn emit_empty(&self, event_type: &str) -> Result {
        ask("emit", sys::emit, &named(event_type, &[])).map(|_| ())
    }

    /// Asks for a message to the subscribers of a topic.
    pub fn notify(&self, topic: &str, data: impl Into<Value>) -> Result {
        ask("notify", sys::notify, &named(topic, data.into().text())).map(|_| ())
    }

    /// Reads a key of the tenant's state; the default when it is absent. A call sees
    /// its own writes.
    pub fn state_get(&self, key: &str) -> Result<Stored<'_>> {
        let answer = match found(ask("state_get", sys::state_get, key.as_bytes()))? {
            Some(answer) => self.keep(answer),
            None => return Ok(Stored::default()),
        };
        let mut r = Reader::new(answer);
        let version = r.u64("version");
        if r.bad.is_some() {
            return Err(short("state_get"));
        }
        Ok(Stored { version, value: Json::parse(r.tail()) })
    }

    /// Writes a key, whatever it holds.
    pub fn state_set(&self, key: &str, value: impl Into<Value>) -> Result {
        ask("state_set", sys::state_set, &named(key, value.into().text())).map(|_| ())
    }

    /// Removes a key. One that is absent is no error.
    pub fn state_delete(&self, key: &str) -> Result {
        ask("state_set", sys::state_set, &named(key, &[])).map(|_| ())
    }

    /// Writes a key if it still has the version that was read; 0: if it is absent.
    /// [`Status::Conflict`] says that it has another. When somebody else writes the
    /// key before this call is done, the whole call runs again.
    pub fn state_cas(&self, key: &str, version: u64, value: impl Into<Value>) -> Result {
        let mut m = version.to_le_bytes().to_vec();
        put_bytes(&mut m, key.as_bytes());
        m.extend_from_slice(value.into().text());
        ask("state_cas", sys::state_cas, &m).map(|_| ())
    }

    /// Replaces the value of a key by what `change` makes of it, and never loses a
    /// write of somebody else. The old value is missing when the key is absent.
    pub fn state_update<V: Into<Value>>(&self, key: &str, change: impl FnOnce(Json<'_>) -> Result<V>) -> Result {
        let old = self.state_get(key)?;
        self.state_cas(key, old.version, change(old.value)?)
    }

    /// Reads a key of the tenant's store of bytes; `None` when it is absent.
    pub fn kv_get(&self, key: &str) -> Result<Option<&[u8]>> {
        let answer = found(ask("kv_get", sys::kv_get, key.as_bytes()))?;
        Ok(answer.map(|b| self.keep(b)))
    }

    /// Writes a key of the store; it is gone after `ttl` milliseconds, 0: never. An
    /// empty value deletes it. The last write wins.
    pub fn kv_set(&self, key: &str, value: &[u8], ttl: u64) -> Result {
        let mut m = Vec::with_capacity(12 + key.len() + value.len());
        put_bytes(&mut m, key.as_bytes());
        m.extend_from_slice(&ttl.to_le_bytes());
        m.extend_from_slice(value);
        ask("kv_set", sys::kv_set, &m).map(|_| ())
    }

    /// Reads a setting that the operator gave the plugin, or all of them as an object
    /// when `name` is empty. Missing when there is none of that name.
    pub fn config(&self, name: &str) -> Result<Json<'_>> {
        let answer = found(ask("config", sys::config, name.as_bytes()))?;
        Ok(answer.map_or(Json::default(), |b| Json::parse(self.keep(b))))
    }

    /// The host's clock: seconds since 1970-01-01T00:00:00Z and nanoseconds.
    pub fn unix_now(&self) -> Result<(i64, u32)> {
        let answer = ask("now", sys::now, &[])?;
        let mut r = Reader::new(&answer);
        let now = (r.u64("seconds") as i64, r.u32("nanoseconds"));
        match r.bad {
            None => Ok(now),
            Some(_) => Err(short("now")),
        }
    }

    /// The host's clock.
    pub fn now(&self) -> Result<SystemTime> {
        let (sec, nsec) = self.unix_now()?;
        system_time(sec, nsec).ok_or_else(|| short("now"))
    }

    /// Fills `p` with random bytes of the host.
    pub fn random(&self, p: &mut [u8]) -> Result {
        for part in p.chunks_mut(4096) {
            let answer = ask("random", sys::random, &(part.len() as u32).to_le_bytes())?;
            if answer.len() != part.len() {
                return Err(short("random"));
            }
            part.copy_from_slice(&answer);
        }
        Ok(())
    }

    /// Makes a request. It runs at once and is not undone when the call fails. An
    /// answer of 404 or 500 is an answer, no error.
    pub fn http(&self, q: &Request<'_>) -> Result<Response<'_>> {
        let mut m = Vec::new();
        put_bytes(&mut m, q.method.as_bytes());
        put_bytes(&mut m, q.url.as_bytes());
        m.extend_from_slice(&q.timeout.to_le_bytes());
        m.extend_from_slice(&(q.headers.len() as u32).to_le_bytes());
        for (name, value) in q.headers {
            put_bytes(&mut m, name.as_bytes());
            put_bytes(&mut m, value.as_bytes());
        }
        m.extend_from_slice(q.body);
        let mut r = Reader::new(self.keep(ask("http", sys::http, &m)?));
        let status = r.u32("status");
        let mut headers = Vec::new();
        for _ in 0..r.u32("headers") {
            let (name, value) = (r.bytes("headers"), r.bytes("headers"));
            if r.bad.is_some() {
                break;
            }
            headers.push((String::from_utf8_lossy(name), String::from_utf8_lossy(value)));
        }
        match r.bad {
            None => Ok(Response { status, headers, body: r.tail() }),
            Some(_) => Err(short("http")),
        }
    }

    /// Reads a secret that the operator granted by name.
    pub fn secret(&self, name: &str) -> Result<&[u8]> {
        Ok(self.keep(ask("secret", sys::secret, name.as_bytes())?))
    }

    /// Says whether a service may be called, as `http`. An error says why not:
    /// [`Status::Denied`], or [`Status::Unsupported`] by this host.
    pub fn has(&self, service: &str) -> Result {
        ask("has", sys::has, service.as_bytes()).map(|_| ())
    }

    /// Sets the output of the step, which later steps of the rule read as
    /// `steps.ID.out`. The last call counts.
    pub fn output(&self, v: impl Into<Value>) {
        sys::output(v.into().text());
    }

    /// Passes a line to the host's log. A line longer than 8 KiB is cut.
    pub fn log(&self, level: Level, line: &str) {
        sys::log(level as i32, line.as_bytes());
    }
}
