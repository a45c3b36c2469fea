/*
 * lockaccount locks the account that an event names, unless it is locked already
 * or the operator protects it.
 *
 * Settings: {"protect": ["root"]}. Arguments of the step: {"reason": "…"}.
 */
#include "../../rhost.h"

static rhost_result lock(rhost_call *c) {
	rhost_str user = rhost_string(rhost_get(c->data, "user"));
	if (user.n == 0) return rhost_fail(rhost_s("the event names no user"));

	rhost_json settings, old;
	rhost_status st = rhost_config(rhost_s(""), &settings);
	if (st != RHOST_STATUS_OK) return rhost_refused("config", st);
	for (rhost_iter it = rhost_items(rhost_get(settings, "protect")); rhost_next(&it);) {
		if (!rhost_equal(rhost_string(it.value), user)) continue;
		rhost_log(RHOST_WARN, rhost_join(rhost_s("not locked, because the settings protect it: "), user));
		return rhost_drop(rhost_join(user, rhost_s(" is protected")));
	}

	rhost_str key = rhost_join(rhost_s("locked/"), user);
	if (rhost_state_get(key, &old, 0) == RHOST_STATUS_OK) return rhost_drop(rhost_join(user, rhost_s(" is locked already")));
	rhost_writer w = rhost_write();
	rhost_object(&w);
	rhost_member_json(&w, "by", rhost_get(c->match, "rule"));
	rhost_member_json(&w, "at", rhost_get(c->match, "at"));
	rhost_end_object(&w);
	if ((st = rhost_state_set(key, rhost_done(&w))) != RHOST_STATUS_OK) return rhost_refused("state_set", st);

	w = rhost_write();
	rhost_object(&w);
	rhost_member_str(&w, "user", user);
	rhost_member_json(&w, "reason", rhost_get(c->with, "reason"));
	rhost_end_object(&w);
	if ((st = rhost_emit(rhost_s("account.locked"), rhost_done(&w))) != RHOST_STATUS_OK) return rhost_refused("emit", st);

	w = rhost_write();
	rhost_object(&w);
	rhost_member_str(&w, "locked", user);
	rhost_end_object(&w);
	rhost_output(rhost_done(&w));
	return RHOST_OK;
}

RHOST_PLUGIN(lock);
