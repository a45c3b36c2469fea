//! Does what its arguments say, for the tests that hold every SDK to the same
//! behaviour: `{"do": "echo", …}`. Package sdk/conformance says what is expected.

use rhost::{list, object, timestamp, Call, Json, Kind, Level, Request, Result, Value};
use std::sync::atomic::{AtomicI64, Ordering};

rhost::plugin!(act, batch);

/// No call may find what another left.
static USED: AtomicI64 = AtomicI64::new(0);

fn act(c: &Call) -> Result {
    let msg = c.with.get("msg").string();
    match &*c.with.get("do").string() {
        "" => describe(c),
        "echo" => echo(c),
        "effects" => effects(c),
        "state" => state(c),
        "settings" => settings(c),
        "kv" => kv(c),
        "http" => http(c),
        "secret" => secret(c),
        "has" => has(c),
        "json" => json(c),
        "used" => {
            c.output(USED.fetch_add(1, Ordering::Relaxed) + 1);
            Ok(())
        }
        "fail" => Err(rhost::fail(msg)),
        "retry" => Err(rhost::retry(msg)),
        "drop" => Err(rhost::drop("nothing to do")),
        "loop" => loop {
            USED.load(Ordering::Relaxed);
        },
        "alloc" => alloc(),
        "recurse" => {
            dive(0);
            Ok(())
        }
        "panic" => panic!("boom"),
        "flood" => loop {
            c.emit_empty("x")?;
        },
        other => Err(rhost::fail(format!("no action {other:?}"))),
    }
}

/// The guest of the suite that all engines share.
fn describe(c: &Call) -> Result {
    let (m, limit) = (&c.matched, c.config("limit")?);
    c.output(object! {
        "tenant": m.tenant(), "rule": m.rule(), "match": m.id(), "trigger": m.trigger(), "bind": m.json().get("bind"),
        "event": &c.event.id, "source": &c.event.source, "type": &c.event.type_, "user": c.event.string("user"),
        "attempt": c.attempt, "key": &c.key, "limit": limit,
    });
    Ok(())
}

/// Gives back what the call holds.
fn echo(c: &Call) -> Result {
    let time = c.event.unix_time().map(|(sec, nsec)| timestamp(sec, nsec));
    c.output(object! {
        "id": &c.event.id, "source": &c.event.source, "type": &c.event.type_, "subject": &c.event.subject,
        "time": time, "data": c.event.json(), "ext": c.event.ext("host"),
        "attempt": c.attempt, "key": &c.key, "match": c.matched.json(), "with": c.with,
    });
    Ok(())
}

fn effects(c: &Call) -> Result {
    c.emit("made", object! { "n": 1 })?;
    c.emit_empty("empty")?;
    c.state_set("k", list![1, 2])?;
    c.state_delete("gone")?;
    c.notify("ops", "hello")
}

fn note<V: Into<Value>>(r: Result<V>) -> Value {
    match r {
        Ok(v) => v.into(),
        Err(e) => e.to_string().into(),
    }
}

/// Reports what the services answer, one after another.
fn state(c: &Call) -> Result {
    let load = |key: &str| {
        c.state_get(key).map(|s| match s.version {
            0 => Value::from("state_get: not found"),
            version => object! { "v": s.value, "version": version },
        })
    };
    let old = c.state_get("n")?;
    let seen = list![
        note(load("n")),
        note(c.state_cas("n", old.version + 1, 0).map(|_| "set")),
        note(c.state_cas("n", old.version, old.value.int() + 1).map(|_| "set")),
        note(load("n")),
        note(load("absent")),
        c.state_get("long")?.value.raw().len(),
    ];
    c.output(seen);
    Ok(())
}

fn settings(c: &Call) -> Result {
    let limit = c.config("limit")?;
    let (sec, nsec) = c.unix_now()?;
    let mut p = [0; 5000];
    c.random(&mut p)?;
    c.log(Level::Warn, "careful");
    c.output(object! { "limit": limit, "now": timestamp(sec, nsec), "random": p[4999] });
    Ok(())
}

/// Writes bytes that are no text, and reads what is there.
fn kv(c: &Call) -> Result {
    const ODD: &[u8] = &[b'v', 0, 255];
    let get = |key| c.kv_get(key).map(|v| v.map_or("kv_get: not found", |_| "got"));
    let seen = list![
        note(get("absent")),
        note(c.kv_set("k", ODD, 5000).map(|_| "set")),
        note(c.kv_set("gone", &[], 0).map(|_| "set")),
        note(get("k")),
        c.kv_get("k").ok().flatten() == Some(ODD),
        c.kv_get("long").ok().flatten().map_or(0, <[u8]>::len),
    ];
    c.output(seen);
    Ok(())
}

fn http(c: &Call) -> Result {
    let arg = |name| c.with.get(name).string();
    let (method, url, body) = (arg("method"), arg("url"), arg("body"));
    let headers: Vec<_> = c.with.get("headers").members().map(|(name, value)| (name, value.string())).collect();
    let headers: Vec<_> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    let a = c.http(&Request {
        method: &method,
        url: &url,
        headers: &headers,
        body: body.as_bytes(),
        timeout: c.with.get("timeout").int() as u32,
    })?;
    c.output(object! {
        "status": a.status, "type": a.header("content-type"), "headers": a.headers.len(), "body": String::from_utf8_lossy(a.body),
    });
    Ok(())
}

fn secret(c: &Call) -> Result {
    let value = c.secret(&c.with.get("name").string())?;
    c.output(String::from_utf8_lossy(value));
    Ok(())
}

/// Reports on each of the services that its arguments list.
fn has(c: &Call) -> Result {
    let asked = c.with.get("services").items().map(|name| match c.has(&name.string()) {
        Ok(()) => Value::from("ok"),
        Err(e) => e.status().map(|s| s.to_string()).into(),
    });
    c.output(Value::list(asked));
    Ok(())
}

/// Reads a part of the event's data in every way.
fn json(c: &Call) -> Result {
    let v: Json = c.event.get(&c.with.get("path").string());
    let kind = match v.kind() {
        Kind::Missing => "missing",
        Kind::Null => "null",
        Kind::Bool => "bool",
        Kind::Number => "number",
        Kind::String => "string",
        Kind::List => "list",
        Kind::Object => "object",
    };
    let names: Vec<_> = v.members().map(|(name, _)| name).collect();
    c.output(object! {
        "kind": kind, "text": v.string(), "int": v.int(), "num": v.float(), "bool": v.bool(), "len": v.len(), "names": names,
    });
    Ok(())
}

fn alloc() -> Result {
    let mut all = Vec::new();
    while USED.load(Ordering::Relaxed) >= 0 {
        all.push(vec![1u8; 1 << 20]);
    }
    Err(rhost::fail(all.len().to_string()))
}

#[inline(never)]
fn dive(n: i64) -> i64 {
    if n + USED.load(Ordering::Relaxed) < 0 {
        return 0;
    }
    dive(n + 1) + dive(n + 2)
}
