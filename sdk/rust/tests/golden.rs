//! Holds the crate to the bytes that freeze the ABI: abi/v1/testdata of rhost's own
//! tree. A copy of the crate elsewhere has nothing to compare with.

use rhost::testing::{Host, Input};
use rhost::{list, object, timestamp, Call, Json, Kind, Request, Status, Value};
use std::path::Path;

fn golden(name: &str) -> Option<Vec<u8>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../abi/v1/testdata").join(name.to_owned() + ".hex");
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(_) => {
            eprintln!("skipped: {} is not there", file.display());
            return None;
        }
    };
    let digits: String = text.lines().flat_map(|l| l.split(';').next().unwrap().split_whitespace()).collect();
    Some((0..digits.len()).step_by(2).map(|i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap()).collect())
}

fn check_input(c: &Call) -> rhost::Result {
    assert_eq!(1, c.attempt);
    assert_eq!(Some((1_779_313_507, 500_000_000)), c.event.unix_time());
    assert_eq!("k-01", c.key);
    assert_eq!("r", c.matched.rule());
    assert_eq!(5, c.with.get("n").int());
    assert_eq!(("e1", "/sshd", "ssh.failed", ""), (&*c.event.id, &*c.event.source, &*c.event.type_, &*c.event.subject));
    assert_eq!("root", c.event.string("user"));
    assert_eq!(Some(Value::from("web")), c.event.ext("host"));
    assert_eq!(Some(Value::from(22)), c.event.ext("port"));
    assert_eq!(None, c.event.ext("none"));
    Ok(())
}

#[test]
fn input() {
    let mut frame = match golden("input") {
        Some(frame) => frame,
        None => return,
    };
    let mut host = Host::new();
    assert_eq!("ok", host.run_frame(check_input, &frame).result);
    for n in 0..frame.len() {
        let r = host.run_frame(|_| Ok(()), &frame[..n]);
        assert_eq!("fail", r.result);
        assert!(r.message.starts_with("input: cannot be read at "), "{}", r.message);
    }
    for i in 0..frame.len() {
        let was = std::mem::replace(&mut frame[i], 0xff); // lengths and kinds that lie
        host.run_frame(|_| Ok(()), &frame);
        frame[i] = was;
    }
    frame.extend_from_slice(b"later");
    assert_eq!("ok", host.run_frame(check_input, &frame).result);
}

#[test]
fn requests() {
    if golden("emit").is_none() {
        return;
    }
    let mut host = Host::new();
    host.set_state_at("n:root", r#"{"n":5}"#, 7);
    host.now = (1_779_313_507, 500_000_000);
    host.http.insert("POST https://api.example.com/v1/locks".into(), (404, "text/plain".into(), b"no".to_vec()));
    let r = host.run(
        |c| {
            c.emit("account.locked", object! { "user": "root" })?;
            c.notify("ops", "hi")?;
            c.state_cas("n:root", 7, object! { "n": 6 })?;
            c.state_set("n:root", object! { "n": 5 })?;
            c.random(&mut [0; 16])?;
            c.kv_set("seen/10.0.0.7", b"\x01\xff", 60_000)?;
            let a = c.http(&Request {
                method: "POST",
                url: "https://api.example.com/v1/locks",
                headers: &[("content-type", "text/plain")],
                body: b"root",
                timeout: 250,
            })?;
            assert_eq!((404, Some("text/plain"), &b"no"[..]), (a.status, a.header("Content-Type"), a.body));
            Ok(())
        },
        &Input::default(),
    );
    assert_eq!("ok", r.result, "{}", r.message);
    for (service, request) in &host.requests {
        assert_eq!(golden(service).as_ref(), Some(request), "{service}");
    }
    assert_eq!(7, host.requests.len());
}

#[test]
fn services() {
    let mut host = Host::new();
    host.set_state_at("old", r#"{"n":1}"#, 7);
    host.set_kv("long", &[7; 9000]);
    host.config = r#"{"limit":5}"#.into();
    host.secrets.insert("token".into(), b"abc".to_vec());
    host.http.insert("POST https://example.com/".into(), (201, "application/json".into(), br#"{"id":7}"#.to_vec()));
    let r = host.run(
        |c| {
            let old = c.state_get("old")?;
            assert_eq!((1, 7), (old.value.get("n").int(), old.version));
            assert_eq!(Some(Status::Conflict), c.state_cas("old", 8, 1).unwrap_err().status());
            c.state_update("count", |old| Ok(old.int() + 1))?;
            c.state_delete("old")?;
            assert!(!c.state_get("old")?.value.exists());
            assert_eq!(None, c.kv_get("k")?);
            c.kv_set("k", b"\0\xff", 1000)?;
            assert_eq!(Some(&b"\0\xff"[..]), c.kv_get("k")?);
            assert_eq!(Some(9000), c.kv_get("long")?.map(<[u8]>::len));
            assert_eq!(5, c.config("limit")?.int());
            assert!(!c.config("other")?.exists());
            assert_eq!((1_767_225_600, 0), c.unix_now()?);
            let q =
                Request { method: "POST", url: "https://example.com/", headers: &[("A", "b")], ..Request::default() };
            let a = c.http(&q)?;
            assert_eq!((201, Some("application/json")), (a.status, a.header("content-type")));
            assert_eq!(7, Json::parse(a.body).get("id").int());
            assert_eq!(b"abc", c.secret("token")?);
            assert_eq!("secret: not found", c.secret("other").unwrap_err().to_string());
            c.has("http")?;
            let n: i64 = "x".parse()?;
            c.output(n);
            Ok(())
        },
        &Input::default(),
    );
    assert_eq!(("retry", "invalid digit found in string"), (r.result, &*r.message));
    assert_eq!(None, host.state("count"), "no effects");
}

#[test]
fn json() {
    let doc = Json::parse(
        br#" {"user": {"name": "Zo\u00eb \ud83d\ude00"}, "items": [{"id": "a"}, [1, -2.5e1]], "odd key": {"x.y": true}, "none": null, "big": 9007199254740993} "#,
    );
    assert_eq!("Zo\u{eb} \u{1f600}", doc.get("user.name").string());
    assert_eq!("a", doc.get("items[0].id").string());
    assert_eq!((-25, -25.0), (doc.get("items[1][1]").int(), doc.get("items[1][1]").float()));
    assert!(doc.get(r#"["odd key"]["x.y"]"#).bool());
    assert_eq!(9_007_199_254_740_993, doc.get("big").int());
    assert_eq!(Kind::Null, doc.get("none").kind());
    assert_eq!((5, 2), (doc.len(), doc.get("items").len()));
    for path in
        ["user.", ".user", "items[x]", "items[-1]", "items[9]", "items[0", "[\"odd key\"", "items[0]id", "none.x"]
    {
        assert_eq!(Kind::Missing, doc.get(path).kind(), "{path}");
    }
}

/// Whatever the bytes, reading ends and stays inside them.
#[test]
fn hostile_json() {
    let alphabet = br#"{}[]",:\u0dt1-.en "#;
    let mut seed = 1u64;
    for _ in 0..100_000 {
        let text: Vec<u8> = (0..24)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                alphabet[(seed >> 33) as usize % alphabet.len()]
            })
            .collect();
        let v = Json::parse(&text);
        let path = String::from_utf8_lossy(&text[..6]);
        let part = v.get(&path);
        let _ = (part.string(), part.int(), part.float(), part.len(), v.members().count(), v.items().count());
    }
    let deep = [b'['; 1 << 20];
    assert_eq!(Kind::Missing, Json::parse(&deep).kind());
}

#[test]
fn values() {
    let v = object! {
        "s": "a\"\\\n\u{1}", "n": -5, "f": 0.5, "big": 1e300, "nan": f64::NAN, "b": true,
        "l": list![1, "x"], "v": vec!["y"], "none": None::<i32>, "gone": Json::default(),
    };
    let want = r#"{"s":"a\"\\\n\u0001","n":-5,"f":0.5,"big":1e300,"nan":null,"b":true,"l":[1,"x"],"v":["y"],"none":null,"gone":null}"#;
    assert_eq!(want, std::str::from_utf8(v.text()).unwrap());
    assert_eq!(b"{}", object! {}.text());
    assert_eq!(b"[]", list![].text());
    for (sec, nsec, want) in [
        (0, 0, "1970-01-01T00:00:00Z"),
        (-1, 7, "1969-12-31T23:59:59.000000007Z"),
        (951_782_400, 120_000_000, "2000-02-29T00:00:00.12Z"),
        (-62_135_596_800, 0, "0001-01-01T00:00:00Z"),
    ] {
        assert_eq!(want, timestamp(sec, nsec));
    }
}
