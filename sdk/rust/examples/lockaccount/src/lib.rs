//! Locks the account that an event names, unless it is locked already or the
//! operator protects it.
//!
//! Settings: `{"protect": ["root"]}`. Arguments of the step: `{"reason": "…"}`.

use rhost::{object, Call, Level};

rhost::plugin!(lock);

fn lock(c: &Call) -> rhost::Result {
    let user = c.event.string("user");
    if user.is_empty() {
        return Err(rhost::fail("the event names no user"));
    }
    let settings = c.config("")?;
    if settings.get("protect").items().any(|name| name.string() == user) {
        c.log(Level::Warn, &format!("not locked, because the settings protect it: {user}"));
        return Err(rhost::drop(format!("{user} is protected")));
    }
    let key = format!("locked/{user}");
    if c.state_get(&key)?.value.exists() {
        return Err(rhost::drop(format!("{user} is locked already")));
    }
    c.state_set(&key, object! { "by": c.matched.rule(), "at": c.matched.at() })?;
    c.emit("account.locked", object! { "user": &user, "reason": c.with.get("reason") })?;
    c.output(object! { "locked": user });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::lock;
    use rhost::testing::{Host, Input};

    fn burst(data: &str) -> Input<'_> {
        Input::event("ssh.burst", data).with(r#"{"reason":"five failures"}"#)
    }

    #[test]
    fn locks_once() {
        let mut host = Host::new();
        host.config = r#"{"protect":["root"]}"#.into();

        let r = host.run(lock, &burst(r#"{"user":"bob"}"#));
        assert_eq!("ok", r.result, "{}", r.message);
        assert_eq!(Some(r#"{"locked":"bob"}"#), r.output.as_deref());
        assert_eq!(vec![r#"{"user":"bob","reason":"five failures"}"#], r.emitted("account.locked"));
        assert_eq!(Some(r#"{"by":"test","at":"2026-01-01T00:00:00Z"}"#), host.state("locked/bob"));

        let again = host.run(lock, &burst(r#"{"user":"bob"}"#));
        assert_eq!(("drop", "bob is locked already"), (again.result, &*again.message));

        let root = host.run(lock, &burst(r#"{"user":"root"}"#));
        assert_eq!("drop", root.result);
        assert_eq!(vec![("warn", "not locked, because the settings protect it: root".to_string())], root.logs);
    }

    #[test]
    fn needs_a_user() {
        let r = Host::new().run(lock, &burst("{}"));
        assert_eq!(("fail", "the event names no user"), (r.result, &*r.message));
    }

    #[test]
    fn needs_its_capability() {
        let mut host = Host::new();
        host.deny.push("state_set".into());
        let r = host.run(lock, &burst(r#"{"user":"bob"}"#));
        assert_eq!(("retry", "state_set: the capability was not granted"), (r.result, &*r.message));
    }
}
