/*
 * burst counts events by address and tells a topic when an address reaches a
 * threshold. The count survives in the tenant's state, and no event is lost when
 * two calls count the same address at once.
 *
 * Arguments of the step: {"threshold": 10, "topic": "ops"}.
 */
#include "../../rhost.h"

static rhost_result count(rhost_call *c) {
	rhost_str addr = rhost_string(rhost_get(c->data, "addr"));
	if (addr.n == 0) return rhost_drop(rhost_s("the event has no address"));

	rhost_str key = rhost_join(rhost_s("seen/"), addr);
	rhost_json old;
	uint64_t version;
	rhost_status st = rhost_state_get(key, &old, &version);
	if (st != RHOST_STATUS_OK && st != RHOST_STATUS_NOT_FOUND) return rhost_refused("state_get", st);
	int64_t n = rhost_int(old) + 1;
	rhost_writer w = rhost_write();
	rhost_put_int(&w, n);
	if ((st = rhost_state_cas(key, version, rhost_done(&w))) != RHOST_STATUS_OK) return rhost_refused("state_cas", st);
	if (n != rhost_int(rhost_get(c->with, "threshold"))) return RHOST_OK;

	w = rhost_write();
	rhost_object(&w);
	rhost_member_str(&w, "addr", addr);
	rhost_member_int(&w, "seen", n);
	rhost_member_str(&w, "last", c->id);
	rhost_end_object(&w);
	st = rhost_notify(rhost_string(rhost_get(c->with, "topic")), rhost_done(&w));
	return st == RHOST_STATUS_OK ? RHOST_OK : rhost_refused("notify", st);
}

RHOST_PLUGIN(count);
