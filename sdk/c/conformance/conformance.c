/*
 * conformance does what its arguments say, for the tests that hold every SDK to
 * the same behaviour: {"do": "echo", …}. Package sdk/conformance says what is
 * expected.
 */
#include "../rhost.h"

static int64_t used; /* no call may find what another left */

static rhost_str arg(rhost_call *c, const char *name) { return rhost_string(rhost_get(c->with, name)); }

/* describe is the guest of the suite that all engines share. */
static rhost_result describe(rhost_call *c) {
	static const char *const from_match[][2] = {
		{"tenant", "tenant"}, {"rule", "rule"}, {"match", "id"}, {"trigger", "trigger"}, {"bind", "bind"}};
	rhost_json limit;
	rhost_status st = rhost_config(rhost_s("limit"), &limit);
	if (st != RHOST_STATUS_OK) return rhost_refused("config", st);
	rhost_writer w = rhost_write();
	rhost_object(&w);
	for (int i = 0; i < 5; i++) rhost_member_json(&w, from_match[i][0], rhost_get(c->match, from_match[i][1]));
	rhost_member_str(&w, "event", c->id);
	rhost_member_str(&w, "source", c->source);
	rhost_member_str(&w, "type", c->type);
	rhost_member_str(&w, "user", rhost_string(rhost_get(c->data, "user")));
	rhost_member_int(&w, "attempt", c->attempt);
	rhost_member_str(&w, "key", c->key);
	rhost_member_json(&w, "limit", limit);
	rhost_end_object(&w);
	rhost_output(rhost_done(&w));
	return RHOST_OK;
}

/* echo gives back what the call holds. */
static rhost_result echo(rhost_call *c) {
	rhost_writer w = rhost_write();
	rhost_object(&w);
	rhost_member_str(&w, "id", c->id);
	rhost_member_str(&w, "source", c->source);
	rhost_member_str(&w, "type", c->type);
	rhost_member_str(&w, "subject", c->subject);
	rhost_key(&w, rhost_s("time"));
	if (c->has_time) rhost_put_time(&w, c->sec, c->nsec);
	else rhost_put_null(&w);
	rhost_member_json(&w, "data", c->data);
	rhost_member_json(&w, "ext", rhost_ext(c, "host"));
	rhost_member_int(&w, "attempt", c->attempt);
	rhost_member_str(&w, "key", c->key);
	rhost_member_json(&w, "match", c->match);
	rhost_member_json(&w, "with", c->with);
	rhost_end_object(&w);
	rhost_output(rhost_done(&w));
	return RHOST_OK;
}

static rhost_result effects(void) {
	rhost_json none = {0, 0};
	rhost_status st = rhost_emit(rhost_s("made"), rhost_text("{\"n\":1}"));
	if (!st) st = rhost_emit(rhost_s("empty"), none);
	if (!st) st = rhost_state_set(rhost_s("k"), rhost_text("[1,2]"));
	if (!st) st = rhost_state_delete(rhost_s("gone"));
	if (!st) st = rhost_notify(rhost_s("ops"), rhost_text("\"hello\""));
	return st ? rhost_refused("effects", st) : RHOST_OK;
}

static void note(rhost_writer *w, const char *service, rhost_status st, rhost_json value) {
	if (st == RHOST_STATUS_OK) rhost_put_json(w, value);
	else rhost_put_str(w, rhost_join(rhost_join(rhost_s(service), rhost_s(": ")), rhost_s(rhost_status_text(st))));
}

static void note_state(rhost_writer *w, const char *key, uint64_t *version, rhost_json *value) {
	rhost_status st = rhost_state_get(rhost_s(key), value, version);
	rhost_writer v = rhost_write();
	rhost_object(&v);
	rhost_member_json(&v, "v", *value);
	rhost_member_int(&v, "version", (int64_t)*version);
	rhost_end_object(&v);
	note(w, "state_get", st, rhost_done(&v));
}

/* state reports what the services answer, one after another. */
static rhost_result state(void) {
	rhost_json old, value;
	uint64_t version, again;
	rhost_writer w = rhost_write(), n = rhost_write();
	rhost_list(&w);
	note_state(&w, "n", &version, &old);
	note(&w, "state_cas", rhost_state_cas(rhost_s("n"), version + 1, rhost_text("0")), rhost_text("\"set\""));
	rhost_put_int(&n, rhost_int(old) + 1);
	note(&w, "state_cas", rhost_state_cas(rhost_s("n"), version, rhost_done(&n)), rhost_text("\"set\""));
	note_state(&w, "n", &again, &value);
	note_state(&w, "absent", &again, &value);
	rhost_state_get(rhost_s("long"), &value, 0);
	rhost_put_int(&w, value.n);
	rhost_end_list(&w);
	rhost_output(rhost_done(&w));
	return RHOST_OK;
}

static rhost_result settings(void) {
	rhost_json limit;
	int64_t sec;
	uint32_t nsec;
	static uint8_t p[5000];
	rhost_status st = rhost_config(rhost_s("limit"), &limit);
	if (st != RHOST_STATUS_OK) return rhost_refused("config", st);
	if ((st = rhost_now(&sec, &nsec)) != RHOST_STATUS_OK) return rhost_refused("now", st);
	if ((st = rhost_random(p, sizeof p)) != RHOST_STATUS_OK) return rhost_refused("random", st);
	rhost_log(RHOST_WARN, rhost_s("careful"));
	rhost_writer w = rhost_write();
	rhost_object(&w);
	rhost_member_json(&w, "limit", limit);
	rhost_key(&w, rhost_s("now"));
	rhost_put_time(&w, sec, nsec);
	rhost_member_int(&w, "random", p[4999]);
	rhost_end_object(&w);
	rhost_output(rhost_done(&w));
	return RHOST_OK;
}

/* kv writes bytes that are no text, and reads what is there. */
static rhost_result kv(void) {
	static const char odd[] = {'v', 0, (char)255};
	rhost_str value = {odd, sizeof odd}, none = {0, 0}, got;
	rhost_writer w = rhost_write();
	rhost_list(&w);
	note(&w, "kv_get", rhost_kv_get(rhost_s("absent"), &got), rhost_text("null"));
	note(&w, "kv_set", rhost_kv_set(rhost_s("k"), value, 5000), rhost_text("\"set\""));
	note(&w, "kv_set", rhost_kv_set(rhost_s("gone"), none, 0), rhost_text("\"set\""));
	note(&w, "kv_get", rhost_kv_get(rhost_s("k"), &got), rhost_text("\"got\""));
	rhost_put_bool(&w, rhost_equal(got, value));
	rhost_kv_get(rhost_s("long"), &got);
	rhost_put_int(&w, got.n);
	rhost_end_list(&w);
	rhost_output(rhost_done(&w));
	return RHOST_OK;
}

static rhost_result http(rhost_call *c) {
	rhost_header headers[4];
	rhost_http_request q = {arg(c, "method"), arg(c, "url"), arg(c, "body"), headers, 0, (uint32_t)rhost_int(rhost_get(c->with, "timeout"))};
	rhost_http_response a;
	for (rhost_iter it = rhost_items(rhost_get(c->with, "headers")); q.header_count < 4 && rhost_next(&it);) {
		headers[q.header_count].name = rhost_string(it.key);
		headers[q.header_count++].value = rhost_string(it.value);
	}
	rhost_status st = rhost_http(&q, &a);
	if (st != RHOST_STATUS_OK) return rhost_refused("http", st);
	rhost_writer w = rhost_write();
	rhost_object(&w);
	rhost_member_int(&w, "status", a.status);
	rhost_member_str(&w, "type", rhost_header_of(&a, "content-type"));
	rhost_member_int(&w, "headers", a.header_count);
	rhost_member_str(&w, "body", a.body);
	rhost_end_object(&w);
	rhost_output(rhost_done(&w));
	return RHOST_OK;
}

static rhost_result secret(rhost_call *c) {
	rhost_str value;
	rhost_status st = rhost_secret(arg(c, "name"), &value);
	if (st != RHOST_STATUS_OK) return rhost_refused("secret", st);
	rhost_writer w = rhost_write();
	rhost_put_str(&w, value);
	rhost_output(rhost_done(&w));
	return RHOST_OK;
}

/* has reports on each of the services that its arguments list. */
static rhost_result has(rhost_call *c) {
	rhost_writer w = rhost_write();
	rhost_list(&w);
	for (rhost_iter it = rhost_items(rhost_get(c->with, "services")); rhost_next(&it);) {
		char name[32] = "";
		rhost_str s = rhost_string(it.value);
		for (uint32_t i = 0; i < s.n && i < sizeof name - 1; i++) name[i] = s.p[i];
		rhost_put_str(&w, rhost_s(rhost_status_text(rhost_has(name))));
	}
	rhost_end_list(&w);
	rhost_output(rhost_done(&w));
	return RHOST_OK;
}

/* json reads a part of the event's data in every way. */
static rhost_result json(rhost_call *c) {
	static const char *const kinds[] = {"missing", "null", "bool", "number", "string", "list", "object"};
	rhost_json v = rhost_find(c->data, arg(c, "path"));
	rhost_writer w = rhost_write();
	rhost_object(&w);
	rhost_member_str(&w, "kind", rhost_s(kinds[rhost_kind(v)]));
	rhost_member_str(&w, "text", rhost_string(v));
	rhost_member_int(&w, "int", rhost_int(v));
	rhost_member_num(&w, "num", rhost_num(v));
	rhost_member_bool(&w, "bool", rhost_bool(v));
	rhost_member_int(&w, "len", rhost_len(v));
	rhost_key(&w, rhost_s("names"));
	rhost_list(&w);
	if (rhost_kind(v) == RHOST_OBJECT)
		for (rhost_iter it = rhost_items(v); rhost_next(&it);) rhost_put_str(&w, rhost_string(it.key));
	rhost_end_list(&w);
	rhost_end_object(&w);
	rhost_output(rhost_done(&w));
	return RHOST_OK;
}

static rhost_result count_uses(void) {
	rhost_writer w = rhost_write();
	rhost_put_int(&w, ++used);
	rhost_output(rhost_done(&w));
	return RHOST_OK;
}

static volatile int64_t sink;

static rhost_result spin(void) {
	for (;;) sink++;
}

static rhost_result take_memory(void) {
	for (;;) *(volatile char *)rhost_alloc(1 << 20) = 1;
}

__attribute__((noinline)) static int64_t dive(int64_t n) {
	if (sink < 0) return n;
	return dive(n + 1) + dive(n + 2);
}

static rhost_result flood(void) {
	rhost_json none = {0, 0};
	rhost_status st;
	while ((st = rhost_emit(rhost_s("x"), none)) == RHOST_STATUS_OK) {}
	return rhost_refused("emit", st);
}

static rhost_result act(rhost_call *c) {
	rhost_str todo = arg(c, "do");
	if (todo.n == 0) return describe(c);
	if (rhost_is(todo, "echo")) return echo(c);
	if (rhost_is(todo, "effects")) return effects();
	if (rhost_is(todo, "state")) return state();
	if (rhost_is(todo, "settings")) return settings();
	if (rhost_is(todo, "kv")) return kv();
	if (rhost_is(todo, "http")) return http(c);
	if (rhost_is(todo, "secret")) return secret(c);
	if (rhost_is(todo, "has")) return has(c);
	if (rhost_is(todo, "json")) return json(c);
	if (rhost_is(todo, "used")) return count_uses();
	if (rhost_is(todo, "fail")) return rhost_fail(arg(c, "msg"));
	if (rhost_is(todo, "retry")) return rhost_retry(arg(c, "msg"));
	if (rhost_is(todo, "drop")) return rhost_drop(rhost_s("nothing to do"));
	if (rhost_is(todo, "loop")) return spin();
	if (rhost_is(todo, "alloc")) return take_memory();
	if (rhost_is(todo, "recurse")) sink = dive(0);
	if (rhost_is(todo, "panic")) __builtin_trap();
	if (rhost_is(todo, "flood")) return flood();
	rhost_writer w = rhost_write();
	rhost_put_str(&w, todo);
	rhost_str why = {w.p, w.n};
	return rhost_fail(rhost_join(rhost_s("no action "), why));
}

RHOST_BATCH_PLUGIN(act);
