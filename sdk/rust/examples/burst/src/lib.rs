//! Counts events by address and tells a topic when an address reaches a threshold.
//! The count survives in the tenant's state, and no event is lost when two calls
//! count the same address at once.
//!
//! Arguments of the step: `{"threshold": 10, "topic": "ops"}`.

use rhost::{object, Call};

rhost::plugin!(count);

fn count(c: &Call) -> rhost::Result {
    let addr = c.event.string("addr");
    if addr.is_empty() {
        return Err(rhost::drop("the event has no address"));
    }
    let mut n = 0;
    c.state_update(&format!("seen/{addr}"), |old| {
        n = old.int() + 1;
        Ok(n)
    })?;
    if n == c.with.get("threshold").int() {
        let topic = c.with.get("topic").string();
        c.notify(&topic, object! { "addr": addr, "seen": n, "last": &c.event.id })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::count;
    use rhost::testing::{Host, Input};

    #[test]
    fn tells_once() {
        let mut host = Host::new();
        let mut input =
            Input::event("login.failed", r#"{"addr":"192.0.2.1"}"#).with(r#"{"threshold":3,"topic":"ops"}"#);
        input.id = "e7";
        for n in 1..=4 {
            let r = host.run(count, &input);
            assert_eq!("ok", r.result, "{}", r.message);
            assert_eq!(Some(&*n.to_string()), host.state("seen/192.0.2.1"));
            let want = if n == 3 { vec![r#"{"addr":"192.0.2.1","seen":3,"last":"e7"}"#] } else { vec![] };
            assert_eq!(want, r.notified("ops"));
        }
        assert_eq!("drop", host.run(count, &Input::event("login.failed", "{}")).result);
    }
}
