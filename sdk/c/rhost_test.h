/*
 * rhost_test.h: a host in memory, for tests of plugins written with rhost.h. A
 * test is an ordinary program that includes the plugin:
 *
 *     #include "lock.c"
 *     #include "rhost_test.h"
 *
 *     int main(void) {
 *         rhost_test_reset();
 *         rhost_test_run(lock, (rhost_test_input){.type = "ssh.failed", .data = "{\"user\":\"bob\"}"});
 *         RHOST_CHECK_INT(RHOST_OK, rhost_test.result);
 *         RHOST_CHECK_STR("{\"user\":\"bob\"}", rhost_test_effect("emit", "account.locked", 0));
 *         return rhost_test_report();
 *     }
 *
 * It is built with the machine's own compiler. Requests and answers pass through
 * the same bytes as in a built plugin. State and kv last from one run to the next
 * when the handler returned RHOST_OK; rhost_test_reset begins anew. Limits of fuel
 * and memory are not here, and JSON is not checked: `rhost plugin test` does both.
 */
#ifndef RHOST_TEST_H
#define RHOST_TEST_H

#include "rhost.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The call that a handler gets. What is left out is empty; a type of 0 is a call
 * without an event. */
typedef struct {
	const char *type, *data; /* of the event; data is JSON unless content_type says otherwise */
	const char *id, *source, *subject, *content_type;
	bool has_time;
	int64_t sec;
	uint32_t nsec;
	const char *ext_name, *ext_value; /* one extension attribute, a string */
	const char *with;    /* arguments of the step, a JSON object */
	const char *match;   /* JSON; 0 makes one for rule "test" and tenant "default" */
	uint32_t attempt;    /* 0 means 1 */
	const char *key;     /* 0 means "key-1" */
} rhost_test_input;

/* A text of the harness: it has a NUL behind its end. */
struct rhost_test_bytes {
	char *p;
	size_t n;
};

/* Something the handler asked for, or an entry of a store. */
struct rhost_test_entry {
	const char *kind; /* "emit", "notify", "state_set", "kv_set"; "state", "kv", "secret", "http", "deny" */
	struct rhost_test_bytes name, value;
	uint64_t version; /* of state; time to live of kv_set; status of http */
	bool gone;        /* deleted */
};

struct rhost_test_list {
	struct rhost_test_entry *at;
	size_t n;
};

/* What the last run gave, and the settings of the next. */
static struct {
	rhost_result result;
	char *message;     /* why, for results other than ok; "" */
	char *output;      /* JSON; 0 when there was none */
	char *logs;        /* "info: line\n…" */
	struct rhost_test_list effects, store, written;
	struct rhost_test_bytes request, kept, frame;
	const char *config; /* settings, a JSON object */
	const char *http_type; /* content-type of the answers of http */
	int64_t sec;        /* the host's clock */
	uint32_t nsec;
	uint32_t seed;
	rhost_result code;
	int checks, failed;
} rhost_test;

static __attribute__((unused)) struct rhost_test_bytes rhost_test_copy(const void *p, size_t n) {
	struct rhost_test_bytes b = {(char *)malloc(n + 1), n};
	if (!b.p) abort();
	if (n) memcpy(b.p, p, n);
	b.p[n] = 0;
	return b;
}

static void rhost_test_add(struct rhost_test_list *l, const char *kind, struct rhost_test_bytes name, struct rhost_test_bytes value, uint64_t version, bool gone) {
	l->at = (struct rhost_test_entry *)realloc(l->at, (l->n + 1) * sizeof *l->at);
	if (!l->at) abort();
	struct rhost_test_entry e = {kind, name, value, version, gone};
	l->at[l->n++] = e;
}

static void rhost_test_clear(struct rhost_test_list *l) {
	for (size_t i = 0; i < l->n; i++) {
		free(l->at[i].name.p);
		free(l->at[i].value.p);
	}
	free(l->at);
	l->at = 0;
	l->n = 0;
}

/* The last entry of a kind with that name, or 0. */
static struct rhost_test_entry *rhost_test_last(struct rhost_test_list *l, const char *kind, const char *name, size_t n) {
	for (size_t i = l->n; i-- > 0;) {
		struct rhost_test_entry *e = &l->at[i];
		if (!strcmp(e->kind, kind) && e->name.n == n && !memcmp(e->name.p, name, n)) return e;
	}
	return 0;
}

/* ---- What a test sets and asks ------------------------------------------- */

/* rhost_test_reset begins anew: empty state, no settings, nothing denied, and a
 * clock at the start of 2026. */
static __attribute__((unused)) void rhost_test_reset(void) {
	int checks = rhost_test.checks, failed = rhost_test.failed;
	rhost_test_clear(&rhost_test.effects);
	rhost_test_clear(&rhost_test.store);
	rhost_test_clear(&rhost_test.written);
	free(rhost_test.message);
	free(rhost_test.output);
	free(rhost_test.logs);
	free(rhost_test.request.p);
	free(rhost_test.kept.p);
	free(rhost_test.frame.p);
	memset(&rhost_test, 0, sizeof rhost_test);
	rhost_test.checks = checks;
	rhost_test.failed = failed;
	rhost_test.config = "{}";
	rhost_test.http_type = "application/json";
	rhost_test.sec = 1767225600;
	rhost__reset();
}

static void rhost_test_put(const char *kind, const char *name, const void *value, size_t n, uint64_t version) {
	rhost_test_add(&rhost_test.store, kind, rhost_test_copy(name, strlen(name)), rhost_test_copy(value, n), version, false);
}

/* rhost_test_state puts a JSON value into the state. */
static __attribute__((unused)) void rhost_test_state(const char *key, const char *json) { rhost_test_put("state", key, json, strlen(json), 1); }

/* rhost_test_kv puts bytes into the kv store. */
static __attribute__((unused)) void rhost_test_kv(const char *key, const void *p, size_t n) { rhost_test_put("kv", key, p, n, 0); }

static __attribute__((unused)) void rhost_test_secret(const char *name, const char *value) { rhost_test_put("secret", name, value, strlen(value), 0); }

/* rhost_test_http answers requests to a URL. Others are denied. */
static __attribute__((unused)) void rhost_test_http(const char *method, const char *url, uint32_t status, const char *body) {
	char *name = (char *)malloc(strlen(method) + strlen(url) + 2);
	if (!name) abort();
	sprintf(name, "%s %s", method, url);
	rhost_test_put("http", name, body, strlen(body), status);
	free(name);
}

/* rhost_test_deny makes a service, as "emit" or "state_get", answer denied. */
static __attribute__((unused)) void rhost_test_deny(const char *service) { rhost_test_put("deny", service, "", 0, 0); }

/* rhost_test_value returns what is stored under a key, as "state" or "kv"; 0 when
 * it is absent. */
static __attribute__((unused)) const char *rhost_test_value(const char *kind, const char *key) {
	struct rhost_test_entry *e = rhost_test_last(&rhost_test.store, kind, key, strlen(key));
	return e && !e->gone ? e->value.p : 0;
}

/* rhost_test_effect returns the data of effect number index of a kind ("emit",
 * "notify", "state_set", "kv_set") with that name; 0 when there is none. */
static __attribute__((unused)) const char *rhost_test_effect(const char *kind, const char *name, size_t index) {
	for (size_t i = 0; i < rhost_test.effects.n; i++) {
		struct rhost_test_entry *e = &rhost_test.effects.at[i];
		if (!strcmp(e->kind, kind) && !strcmp(e->name.p, name) && index-- == 0) return e->value.p;
	}
	return 0;
}

/* ---- Checks -------------------------------------------------------------- */

#define RHOST_CHECK(cond) rhost_test_check(!!(cond), __FILE__, __LINE__, #cond)
#define RHOST_CHECK_INT(want, got) rhost_test_check_int((long long)(want), (long long)(got), __FILE__, __LINE__, #got)
#define RHOST_CHECK_STR(want, got) rhost_test_check_str((want), (got), __FILE__, __LINE__, #got)

static __attribute__((unused)) void rhost_test_check(bool ok, const char *file, int line, const char *what) {
	rhost_test.checks++;
	if (ok) return;
	rhost_test.failed++;
	printf("%s:%d: not so: %s\n", file, line, what);
}

static __attribute__((unused)) void rhost_test_check_int(long long want, long long got, const char *file, int line, const char *what) {
	rhost_test.checks++;
	if (want == got) return;
	rhost_test.failed++;
	printf("%s:%d: %s = %lld, want %lld\n", file, line, what, got, want);
}

/* Texts may be 0, which equals only 0. */
static __attribute__((unused)) void rhost_test_check_str(const char *want, const char *got, const char *file, int line, const char *what) {
	rhost_test.checks++;
	if (want == got || (want && got && !strcmp(want, got))) return;
	rhost_test.failed++;
	printf("%s:%d: %s = %s, want %s\n", file, line, what, got ? got : "(none)", want ? want : "(none)");
}

/* rhost_test_report says how the checks went and returns the exit code. */
static __attribute__((unused)) int rhost_test_report(void) {
	int failed = rhost_test.failed, checks = rhost_test.checks;
	rhost_test_reset();
	if (failed) printf("FAILED: %d of %d checks\n", failed, checks);
	else printf("ok: %d checks\n", checks);
	return failed || !checks;
}

/* ---- Running a handler --------------------------------------------------- */

static void rhost_test_fixed(struct rhost_test_bytes *b, uint64_t v, int n) {
	b->p = (char *)realloc(b->p, b->n + (size_t)n + 1);
	if (!b->p) abort();
	for (; n-- > 0; v >>= 8) b->p[b->n++] = (char)v;
}

static void rhost_test_field(struct rhost_test_bytes *b, const char *text) {
	size_t n = text ? strlen(text) : 0;
	rhost_test_fixed(b, n, 4);
	b->p = (char *)realloc(b->p, b->n + n + 1);
	if (!b->p) abort();
	if (n) memcpy(b->p + b->n, text, n);
	b->n += n;
}

static bool rhost_test_is_json(const char *type) {
	size_t n = type ? strcspn(type, "; ") : 0;
	if (n == 0) return true;
	if (n > 5 && !strncmp(type + n - 5, "+json", 5)) return true;
	return (n == 16 && !strncmp(type, "application/json", n)) || (n == 9 && !strncmp(type, "text/json", n));
}

static struct rhost_test_bytes rhost_test_frame(const rhost_test_input *in) {
	struct rhost_test_bytes b = {0, 0};
	bool event = in->type && *in->type;
	const char *id = in->id ? in->id : event ? "event-1" : "";
	char match[512];
	snprintf(match, sizeof match,
		"{\"tenant\":\"default\",\"rule\":\"test\",\"version\":\"1\",\"id\":\"match-1\",\"at\":\"2026-01-01T00:00:00Z\",\"trigger\":\"%s\",\"bind\":{}}",
		event ? id : "time");
	rhost_test_fixed(&b, 1, 2);
	rhost_test_fixed(&b, (uint64_t)(event | in->has_time << 1 | (in->data != 0) << 2 | rhost_test_is_json(in->content_type) << 3 | (in->with != 0) << 4), 2);
	rhost_test_fixed(&b, in->attempt ? in->attempt : 1, 4);
	rhost_test_fixed(&b, (uint64_t)in->sec, 8);
	rhost_test_fixed(&b, in->nsec, 4);
	rhost_test_field(&b, in->key ? in->key : "key-1");
	rhost_test_field(&b, in->match ? in->match : match);
	rhost_test_field(&b, in->with);
	rhost_test_field(&b, id);
	rhost_test_field(&b, in->source);
	rhost_test_field(&b, in->type);
	rhost_test_field(&b, in->subject);
	rhost_test_field(&b, in->content_type);
	rhost_test_field(&b, 0);
	rhost_test_field(&b, in->data);
	rhost_test_fixed(&b, in->ext_name != 0, 4);
	if (in->ext_name) {
		rhost_test_field(&b, in->ext_name);
		rhost_test_fixed(&b, 3, 1);
		rhost_test_field(&b, in->ext_value);
	}
	return b;
}

/* rhost_test_commit takes over what a run wrote. */
static void rhost_test_commit(void) {
	struct rhost_test_list *w = &rhost_test.written;
	for (size_t i = 0; i < w->n; i++) {
		struct rhost_test_entry *e = &w->at[i];
		rhost_test_add(&rhost_test.store, e->kind, rhost_test_copy(e->name.p, e->name.n), rhost_test_copy(e->value.p, e->value.n), e->version, e->gone);
	}
}

/* rhost_test_run_frame runs a handler on the bytes of an input frame. */
static __attribute__((unused)) rhost_result rhost_test_run_frame(rhost_handler *handle, const void *frame, size_t n) {
	struct rhost_test_bytes copy = rhost_test_copy(frame, n);
	rhost_test_clear(&rhost_test.effects);
	rhost_test_clear(&rhost_test.written);
	free(rhost_test.frame.p);
	free(rhost_test.message);
	free(rhost_test.output);
	free(rhost_test.logs);
	rhost_test.frame = copy;
	rhost_test.message = rhost_test_copy("", 0).p;
	rhost_test.output = 0;
	rhost_test.logs = rhost_test_copy("", 0).p;
	rhost_test.code = RHOST_OK;
	rhost_test.result = rhost__invoke(handle, (uint32_t)n);
	if (rhost_test.result == RHOST_OK) rhost_test.result = rhost_test.code;
	if (rhost_test.result == RHOST_OK) rhost_test_commit();
	else rhost_test_clear(&rhost_test.effects);
	return rhost_test.result;
}

/* rhost_test_run runs a handler once; rhost_test then holds what it gave. */
static __attribute__((unused)) rhost_result rhost_test_run(rhost_handler *handle, rhost_test_input in) {
	struct rhost_test_bytes frame = rhost_test_frame(&in);
	rhost_result r = rhost_test_run_frame(handle, frame.p, frame.n);
	free(frame.p);
	return r;
}

/* ---- The host's functions ------------------------------------------------ */

int32_t rhost_sys_input(void *dst, uint32_t cap) {
	if (cap >= rhost_test.frame.n) memcpy(dst, rhost_test.frame.p, rhost_test.frame.n);
	return (int32_t)rhost_test.frame.n;
}

void rhost_sys_output(const void *p, uint32_t n) {
	free(rhost_test.output);
	rhost_test.output = rhost_test_copy(p, n).p;
}

void rhost_sys_fail(int32_t code, const void *p, uint32_t n) {
	free(rhost_test.message);
	rhost_test.message = rhost_test_copy(p, n).p;
	rhost_test.code = code;
}

void rhost_sys_log(int32_t level, const void *p, uint32_t n) {
	static const char *const names[] = {"debug", "info", "warn", "error"};
	struct rhost_test_bytes line = rhost_test_copy(p, n);
	size_t was = strlen(rhost_test.logs);
	rhost_test.logs = (char *)realloc(rhost_test.logs, was + n + 16);
	if (!rhost_test.logs) abort();
	sprintf(rhost_test.logs + was, "%s: %s\n", names[level < 0 ? 0 : level > 3 ? 3 : level], line.p);
	free(line.p);
}

int32_t rhost_sys_take(void *dst, uint32_t cap) {
	int32_t n = (int32_t)rhost_test.kept.n;
	if (!rhost_test.kept.p) return -1;
	if (cap < rhost_test.kept.n) return n;
	memcpy(dst, rhost_test.kept.p, rhost_test.kept.n);
	free(rhost_test.kept.p);
	rhost_test.kept.p = 0;
	return n;
}

void rhost_sys_item(int32_t i) { (void)i; }

/* rhost_test_begin keeps the request for whoever wants to look at its bytes, and
 * reports whether the service is denied. */
static bool rhost_test_begin(const char *service, const void *in, uint32_t n) {
	struct rhost_test_bytes request = rhost_test_copy(in, n);
	free(rhost_test.request.p);
	free(rhost_test.kept.p);
	rhost_test.kept.p = 0;
	rhost_test.request = request;
	return rhost_test_last(&rhost_test.store, "deny", service, strlen(service)) != 0;
}

static uint64_t rhost_test_status(rhost_status st) { return (uint64_t)st << 32; }

static uint64_t rhost_test_answer(const void *p, size_t n, void *out, uint32_t cap) {
	if (n > cap) {
		rhost_test.kept = rhost_test_copy(p, n);
		return rhost_test_status(RHOST_STATUS_TOO_SMALL) | n;
	}
	if (n) memcpy(out, p, n);
	return n;
}

static struct rhost__reader rhost_test_request(void) {
	struct rhost__reader r = {rhost_test.request.p, (uint32_t)rhost_test.request.n, 0};
	return r;
}

static uint64_t rhost_test_message(const char *kind, bool needed, const void *in, uint32_t n) {
	if (rhost_test_begin(kind, in, n)) return rhost_test_status(RHOST_STATUS_DENIED);
	struct rhost__reader r = rhost_test_request();
	rhost_str name = rhost__field(&r, "name");
	if (r.bad || !name.n || (needed && !r.n)) return rhost_test_status(RHOST_STATUS_INVALID);
	rhost_test_add(&rhost_test.effects, kind, rhost_test_copy(name.p, name.n), rhost_test_copy(r.p, r.n), 0, false);
	return 0;
}

uint64_t rhost_sys_emit(const void *in, uint32_t n, void *out, uint32_t cap) {
	(void)out, (void)cap;
	return rhost_test_message("emit", false, in, n);
}

uint64_t rhost_sys_notify(const void *in, uint32_t n, void *out, uint32_t cap) {
	(void)out, (void)cap;
	return rhost_test_message("notify", true, in, n);
}

/* rhost_test_read sees the run's own writes first. */
static struct rhost_test_entry *rhost_test_read(const char *kind, rhost_str key) {
	struct rhost_test_entry *e = rhost_test_last(&rhost_test.written, kind, key.p, key.n);
	return e ? e : rhost_test_last(&rhost_test.store, kind, key.p, key.n);
}

static uint64_t rhost_test_write(const char *kind, const char *effect, rhost_str key, const char *p, uint32_t n, uint64_t ttl) {
	if (!key.n) return rhost_test_status(RHOST_STATUS_INVALID);
	struct rhost_test_entry *old = rhost_test_read(kind, key);
	uint64_t version = (old ? old->version : 0) + 1;
	rhost_test_add(&rhost_test.written, kind, rhost_test_copy(key.p, key.n), rhost_test_copy(p, n), version, n == 0);
	rhost_test_add(&rhost_test.effects, effect, rhost_test_copy(key.p, key.n), rhost_test_copy(p, n), ttl, n == 0);
	return 0;
}

uint64_t rhost_sys_state_get(const void *in, uint32_t n, void *out, uint32_t cap) {
	if (rhost_test_begin("state_get", in, n)) return rhost_test_status(RHOST_STATUS_DENIED);
	rhost_str key = {rhost_test.request.p, n};
	struct rhost_test_entry *e = rhost_test_read("state", key);
	if (!e || e->gone) return rhost_test_status(RHOST_STATUS_NOT_FOUND);
	struct rhost_test_bytes b = {0, 0};
	rhost_test_fixed(&b, e->version, 8);
	b.p = (char *)realloc(b.p, 8 + e->value.n + 1);
	if (!b.p) abort();
	memcpy(b.p + 8, e->value.p, e->value.n);
	uint64_t r = rhost_test_answer(b.p, 8 + e->value.n, out, cap);
	free(b.p);
	return r;
}

uint64_t rhost_sys_state_set(const void *in, uint32_t n, void *out, uint32_t cap) {
	(void)out, (void)cap;
	if (rhost_test_begin("state_set", in, n)) return rhost_test_status(RHOST_STATUS_DENIED);
	struct rhost__reader r = rhost_test_request();
	rhost_str key = rhost__field(&r, "key");
	if (r.bad) return rhost_test_status(RHOST_STATUS_INVALID);
	return rhost_test_write("state", "state_set", key, r.p, r.n, 0);
}

uint64_t rhost_sys_state_cas(const void *in, uint32_t n, void *out, uint32_t cap) {
	(void)out, (void)cap;
	if (rhost_test_begin("state_cas", in, n)) return rhost_test_status(RHOST_STATUS_DENIED);
	struct rhost__reader r = rhost_test_request();
	uint64_t expect = rhost__fixed(&r, 8, "expect");
	rhost_str key = rhost__field(&r, "key");
	if (r.bad) return rhost_test_status(RHOST_STATUS_INVALID);
	struct rhost_test_entry *e = rhost_test_read("state", key);
	if (expect != (e && !e->gone ? e->version : 0)) return rhost_test_status(RHOST_STATUS_CONFLICT);
	return rhost_test_write("state", "state_set", key, r.p, r.n, 0);
}

uint64_t rhost_sys_kv_get(const void *in, uint32_t n, void *out, uint32_t cap) {
	if (rhost_test_begin("kv_get", in, n)) return rhost_test_status(RHOST_STATUS_DENIED);
	rhost_str key = {rhost_test.request.p, n};
	struct rhost_test_entry *e = rhost_test_read("kv", key);
	if (!e || e->gone) return rhost_test_status(RHOST_STATUS_NOT_FOUND);
	return rhost_test_answer(e->value.p, e->value.n, out, cap);
}

uint64_t rhost_sys_kv_set(const void *in, uint32_t n, void *out, uint32_t cap) {
	(void)out, (void)cap;
	if (rhost_test_begin("kv_set", in, n)) return rhost_test_status(RHOST_STATUS_DENIED);
	struct rhost__reader r = rhost_test_request();
	rhost_str key = rhost__field(&r, "key");
	uint64_t ttl = rhost__fixed(&r, 8, "ttl");
	if (r.bad) return rhost_test_status(RHOST_STATUS_INVALID);
	return rhost_test_write("kv", "kv_set", key, r.p, r.n, ttl);
}

uint64_t rhost_sys_config(const void *in, uint32_t n, void *out, uint32_t cap) {
	if (rhost_test_begin("config", in, n)) return rhost_test_status(RHOST_STATUS_DENIED);
	rhost_str name = {rhost_test.request.p, n};
	rhost_json v = rhost_text(rhost_test.config);
	if (n) v = rhost_member(rhost_parse(v.p, v.n), name);
	if (!v.n) return rhost_test_status(RHOST_STATUS_NOT_FOUND);
	return rhost_test_answer(v.p, v.n, out, cap);
}

uint64_t rhost_sys_now(const void *in, uint32_t n, void *out, uint32_t cap) {
	if (rhost_test_begin("now", in, n)) return rhost_test_status(RHOST_STATUS_DENIED);
	struct rhost_test_bytes b = {0, 0};
	rhost_test_fixed(&b, (uint64_t)rhost_test.sec, 8);
	rhost_test_fixed(&b, rhost_test.nsec, 4);
	uint64_t r = rhost_test_answer(b.p, b.n, out, cap);
	free(b.p);
	return r;
}

/* Random bytes are the same in every test. */
uint64_t rhost_sys_random(const void *in, uint32_t n, void *out, uint32_t cap) {
	if (rhost_test_begin("random", in, n)) return rhost_test_status(RHOST_STATUS_DENIED);
	struct rhost__reader r = rhost_test_request();
	uint32_t count = (uint32_t)rhost__fixed(&r, 4, "count");
	char p[4096];
	if (r.bad) return rhost_test_status(RHOST_STATUS_INVALID);
	if (count > sizeof p) return rhost_test_status(RHOST_STATUS_LIMIT);
	for (uint32_t i = 0; i < count; i++) {
		rhost_test.seed = rhost_test.seed * 1664525u + 1013904223u;
		p[i] = (char)(rhost_test.seed >> 24);
	}
	return rhost_test_answer(p, count, out, cap);
}

uint64_t rhost_sys_http(const void *in, uint32_t n, void *out, uint32_t cap) {
	if (rhost_test_begin("http", in, n)) return rhost_test_status(RHOST_STATUS_DENIED);
	struct rhost__reader r = rhost_test_request();
	rhost_str method = rhost__field(&r, "method"), url = rhost__field(&r, "url");
	if (r.bad) return rhost_test_status(RHOST_STATUS_INVALID);
	rhost_str name = rhost_join(rhost_join(method, rhost_s(" ")), url);
	struct rhost_test_entry *e = rhost_test_last(&rhost_test.store, "http", name.p, name.n);
	if (!e) return rhost_test_status(RHOST_STATUS_DENIED);
	struct rhost_test_bytes b = {0, 0};
	rhost_test_fixed(&b, e->version, 4);
	rhost_test_fixed(&b, 1, 4);
	rhost_test_field(&b, "content-type");
	rhost_test_field(&b, rhost_test.http_type);
	b.p = (char *)realloc(b.p, b.n + e->value.n + 1);
	if (!b.p) abort();
	memcpy(b.p + b.n, e->value.p, e->value.n);
	uint64_t result = rhost_test_answer(b.p, b.n + e->value.n, out, cap);
	free(b.p);
	return result;
}

uint64_t rhost_sys_secret(const void *in, uint32_t n, void *out, uint32_t cap) {
	if (rhost_test_begin("secret", in, n)) return rhost_test_status(RHOST_STATUS_DENIED);
	struct rhost_test_entry *e = rhost_test_last(&rhost_test.store, "secret", rhost_test.request.p, n);
	if (!e) return rhost_test_status(RHOST_STATUS_NOT_FOUND);
	return rhost_test_answer(e->value.p, e->value.n, out, cap);
}

uint64_t rhost_sys_has(const void *in, uint32_t n, void *out, uint32_t cap) {
	(void)out, (void)cap;
	if (rhost_test_begin("has", in, n)) return rhost_test_status(RHOST_STATUS_DENIED);
	return rhost_test_status(rhost_test_last(&rhost_test.store, "deny", rhost_test.request.p, n) ? RHOST_STATUS_DENIED : RHOST_STATUS_OK);
}

#endif
