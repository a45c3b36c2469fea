/*
 * rhost.h: the SDK for plugins written in C (C99). One header, no libc. A plugin
 * is a handler:
 *
 *     #include "rhost.h"
 *
 *     static rhost_result lock(rhost_call *c) {
 *         rhost_str user = rhost_string(rhost_get(c->data, "user"));
 *         if (user.n == 0) return rhost_fail(rhost_s("the event names no user"));
 *         rhost_writer w = rhost_write();
 *         rhost_object(&w);
 *         rhost_member_str(&w, "user", user);
 *         rhost_end_object(&w);
 *         rhost_emit(rhost_s("account.locked"), rhost_done(&w));
 *         return RHOST_OK;
 *     }
 *
 *     RHOST_PLUGIN(lock)
 *
 * In order: texts and memory, JSON (reading, writing, numbers), the call, the
 * services, how a call ends, the exported functions. abi/SPEC.md has the bytes
 * underneath. Names with two underscores (rhost__x) are not for plugins.
 *
 * A service that is called is imported, and asks for its capability; what no
 * code reaches is not in the module.
 *
 * Built for anything but wasm the header runs over rhost_test.h, a host in
 * memory, so that handlers are tested as ordinary programs.
 */
#ifndef RHOST_H
#define RHOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __wasm__
#define RHOST__IMPORT(name) __attribute__((import_module("rhost.v1"), import_name(#name)))
#define RHOST__EXPORT(name) __attribute__((export_name(#name), visibility("default")))
#else
#include <stdlib.h>
#define RHOST__IMPORT(name)
#define RHOST__EXPORT(name)
#endif
#define RHOST__FN static __attribute__((unused))
#define RHOST__BIG static __attribute__((unused, noinline)) /* called from many places */

/* ---- The host's functions ------------------------------------------------ */

typedef uint64_t rhost__service(const void *in, uint32_t inlen, void *out, uint32_t outcap);

RHOST__IMPORT(input) extern int32_t rhost_sys_input(void *dst, uint32_t cap);
RHOST__IMPORT(output) extern void rhost_sys_output(const void *p, uint32_t n);
RHOST__IMPORT(fail) extern void rhost_sys_fail(int32_t code, const void *p, uint32_t n);
RHOST__IMPORT(log) extern void rhost_sys_log(int32_t level, const void *p, uint32_t n);
RHOST__IMPORT(take) extern int32_t rhost_sys_take(void *dst, uint32_t cap);
RHOST__IMPORT(item) extern void rhost_sys_item(int32_t i);
#define RHOST__SERVICE(name) \
	RHOST__IMPORT(name) extern uint64_t rhost_sys_##name(const void *, uint32_t, void *, uint32_t)
RHOST__SERVICE(emit);
RHOST__SERVICE(notify);
RHOST__SERVICE(state_get);
RHOST__SERVICE(state_set);
RHOST__SERVICE(state_cas);
RHOST__SERVICE(kv_get);
RHOST__SERVICE(kv_set);
RHOST__SERVICE(config);
RHOST__SERVICE(now);
RHOST__SERVICE(random);
RHOST__SERVICE(http);
RHOST__SERVICE(secret);
RHOST__SERVICE(has);

/* How a call ends. */
typedef int32_t rhost_result;
enum {
	RHOST_OK = 0,    /* done: effects happen */
	RHOST_FAIL = 1,  /* failed for good */
	RHOST_RETRY = 2, /* failed for now: the step's retry policy decides */
	RHOST_DROP = 3   /* nothing to do */
};

/* What a service answers. */
typedef uint32_t rhost_status;
enum {
	RHOST_STATUS_OK = 0,
	RHOST_STATUS_NOT_FOUND = 1,
	RHOST_STATUS_TOO_SMALL = 2, /* never seen by plugins */
	RHOST_STATUS_DENIED = 3,    /* the capability was not granted */
	RHOST_STATUS_INVALID = 4,
	RHOST_STATUS_CONFLICT = 5,
	RHOST_STATUS_LIMIT = 6,
	RHOST_STATUS_TIMEOUT = 7,
	RHOST_STATUS_UNAVAILABLE = 8,
	RHOST_STATUS_INTERNAL = 9,
	RHOST_STATUS_UNSUPPORTED = 10
};

/* Levels of rhost_log. */
enum { RHOST_DEBUG = 0, RHOST_INFO = 1, RHOST_WARN = 2, RHOST_ERROR = 3 };

/* ---- Texts and memory ---------------------------------------------------- */

/* rhost_str is bytes somewhere, not ended by NUL. */
typedef struct {
	const char *p;
	uint32_t n;
} rhost_str;

/* rhost_json is the JSON text of one value; n is 0 when there is none. */
typedef struct {
	const char *p;
	uint32_t n;
} rhost_json;

/* rhost_s makes a rhost_str of a C string. */
RHOST__BIG rhost_str rhost_s(const char *text) {
	rhost_str s = {text, 0};
	while (text && text[s.n]) s.n++;
	return s;
}

/* rhost_text takes a C string for JSON text: rhost_text("{\"n\":1}"). */
RHOST__FN rhost_json rhost_text(const char *text) {
	rhost_str s = rhost_s(text);
	rhost_json v = {s.p, s.n};
	return v;
}

RHOST__BIG bool rhost_equal(rhost_str a, rhost_str b) {
	if (a.n != b.n) return false;
	for (uint32_t i = 0; i < a.n; i++)
		if (a.p[i] != b.p[i]) return false;
	return true;
}

RHOST__FN bool rhost_is(rhost_str a, const char *b) { return rhost_equal(a, rhost_s(b)); }

/*
 * Memory that the SDK hands out lasts until the call ends and is never given
 * back before. A call first uses 32 KiB that are part of the module: the host
 * keeps an instance for the next call only if its memory did not grow.
 */
#ifndef RHOST_ARENA
#define RHOST_ARENA (32 << 10)
#endif

struct rhost__chunk {
	struct rhost__chunk *next;
	uint64_t size; /* of what follows */
};

struct rhost__memory {
	uintptr_t at, end;         /* what is left of the present region */
	uintptr_t grown, grown_end; /* wasm: pages that earlier calls asked for */
	struct rhost__chunk *chunks; /* elsewhere: from malloc */
	int32_t said;              /* the last code given to fail */
	uint64_t first[RHOST_ARENA / 8];
};
extern struct rhost__memory rhost__mem; /* RHOST_PLUGIN defines it */

/* rhost__mark is a point in the use of memory that rhost__rewind returns to. */
struct rhost__mark {
	uintptr_t at, end, grown;
	struct rhost__chunk *chunks;
	bool in_grown;
};

RHOST__FN struct rhost__mark rhost__mark_here(void) {
	struct rhost__mark m = {rhost__mem.at, rhost__mem.end, rhost__mem.grown, rhost__mem.chunks, rhost__mem.end == rhost__mem.grown_end};
	return m;
}

RHOST__FN void rhost__rewind(struct rhost__mark m) {
#ifndef __wasm__
	while (rhost__mem.chunks != m.chunks) {
		struct rhost__chunk *c = rhost__mem.chunks;
		rhost__mem.chunks = c->next;
		free(c);
	}
#endif
	rhost__mem.at = m.at;
	rhost__mem.end = m.in_grown && m.grown == rhost__mem.grown ? rhost__mem.grown_end : m.end;
}

RHOST__FN void rhost__reset(void) {
	struct rhost__mark start = {(uintptr_t)rhost__mem.first, (uintptr_t)rhost__mem.first + sizeof rhost__mem.first, 0, 0, false};
	rhost__rewind(start);
}

RHOST__FN void rhost__more(uint32_t n) {
#ifdef __wasm__
	uint32_t pages = (n >> 16) + 1;
	if (rhost__mem.end != rhost__mem.grown_end && rhost__mem.grown_end - rhost__mem.grown >= n) {
		rhost__mem.at = rhost__mem.grown; /* left by an earlier item of a batch */
		rhost__mem.end = rhost__mem.grown_end;
		return;
	}
	size_t was = __builtin_wasm_memory_grow(0, pages);
	if (was == (size_t)-1) {
		static const char why[] = "out of memory";
		rhost_sys_log(RHOST_ERROR, why, sizeof why - 1);
		__builtin_trap();
	}
	uintptr_t start = (uintptr_t)was << 16;
	if (start != rhost__mem.end) rhost__mem.at = start;
	if (start != rhost__mem.grown_end) rhost__mem.grown = start;
	rhost__mem.end = rhost__mem.grown_end = start + ((uintptr_t)pages << 16);
#else
	uint64_t size = n > RHOST_ARENA ? n : RHOST_ARENA;
	struct rhost__chunk *c = (struct rhost__chunk *)malloc(sizeof *c + size);
	if (!c) abort();
	c->next = rhost__mem.chunks;
	c->size = size;
	rhost__mem.chunks = c;
	rhost__mem.at = (uintptr_t)(c + 1);
	rhost__mem.end = rhost__mem.at + size;
#endif
}

/* rhost_alloc returns n bytes, aligned to 8, not cleared. It does not fail: a
 * call that asks for more than it may have ends with a fault. */
RHOST__BIG void *rhost_alloc(uint32_t n) {
	if (n > 0x7ffffff0u) __builtin_trap();
	n = (n + 7) & ~7u;
	if (rhost__mem.at == 0) rhost__reset();
	if (n > rhost__mem.end - rhost__mem.at) rhost__more(n);
	void *p = (void *)rhost__mem.at;
	rhost__mem.at += n;
	return p;
}

RHOST__BIG void rhost__copy(void *dst, const void *src, uint32_t n) {
	if (n) __builtin_memcpy(dst, src, n);
}

/* rhost_join returns a and b in one text, as for the key of a state. */
RHOST__FN rhost_str rhost_join(rhost_str a, rhost_str b) {
	char *p = (char *)rhost_alloc(a.n + b.n);
	rhost__copy(p, a.p, a.n);
	rhost__copy(p + a.n, b.p, b.n);
	rhost_str s = {p, a.n + b.n};
	return s;
}

/* ---- JSON: where values end ---------------------------------------------- */

/*
 * Values are read when asked, by scanning their text. Whatever the text holds,
 * reading stays inside it: what goes wrong reads as missing. Time is linear in
 * the text, the stack does not depend on it.
 */
#define RHOST__NONE 0xffffffffu

RHOST__FN uint32_t rhost__space(rhost_json v, uint32_t i) {
	while (i < v.n && (v.p[i] == ' ' || v.p[i] == '\n' || v.p[i] == '\t' || v.p[i] == '\r')) i++;
	return i;
}

RHOST__BIG uint32_t rhost__string_end(rhost_json v, uint32_t i) {
	for (i++; i < v.n; i++) {
		if (v.p[i] == '"') return i + 1;
		if (v.p[i] == '\\') i++;
	}
	return RHOST__NONE;
}

RHOST__FN uint32_t rhost__nested_end(rhost_json v, uint32_t i) {
	char closing = v.p[i] == '{' ? '}' : ']';
	for (uint32_t depth = 0; i < v.n;) {
		char c = v.p[i];
		if (c == '"') {
			if ((i = rhost__string_end(v, i)) == RHOST__NONE) return i;
			continue;
		}
		if (c == '{' || c == '[') depth++;
		if ((c == '}' || c == ']') && --depth == 0) return c == closing ? i + 1 : RHOST__NONE;
		i++;
	}
	return RHOST__NONE;
}

RHOST__FN uint32_t rhost__word_end(rhost_json v, uint32_t i, const char *word) {
	for (; *word; word++, i++)
		if (i >= v.n || v.p[i] != *word) return RHOST__NONE;
	return i;
}

RHOST__FN bool rhost__digit(char c) { return c >= '0' && c <= '9'; }

/* rhost__value_end returns where the value that starts at i ends. */
RHOST__BIG uint32_t rhost__value_end(rhost_json v, uint32_t i) {
	if (i >= v.n) return RHOST__NONE;
	switch (v.p[i]) {
	case '"': return rhost__string_end(v, i);
	case '{':
	case '[': return rhost__nested_end(v, i);
	case 't': return rhost__word_end(v, i, "true");
	case 'f': return rhost__word_end(v, i, "false");
	case 'n': return rhost__word_end(v, i, "null");
	}
	if (v.p[i] != '-' && !rhost__digit(v.p[i])) return RHOST__NONE;
	while (i < v.n && (rhost__digit(v.p[i]) || v.p[i] == '-' || v.p[i] == '+' || v.p[i] == '.' || v.p[i] == 'e' || v.p[i] == 'E')) i++;
	return i;
}

RHOST__FN rhost_json rhost__part(rhost_json v, uint32_t from, uint32_t to) {
	rhost_json part = {v.p + from, to - from};
	return part;
}

/* rhost_parse finds the value that a text holds; missing when it holds none. */
RHOST__FN rhost_json rhost_parse(const char *p, uint32_t n) {
	rhost_json v = {p, n}, none = {0, 0};
	uint32_t i = rhost__space(v, 0), end = rhost__value_end(v, i);
	return end == RHOST__NONE ? none : rhost__part(v, i, end);
}

/* ---- JSON: reading ------------------------------------------------------- */

typedef enum {
	RHOST_MISSING,
	RHOST_NULL,
	RHOST_BOOL,
	RHOST_NUMBER,
	RHOST_STRING,
	RHOST_LIST,
	RHOST_OBJECT
} rhost_kind_t;

RHOST__FN rhost_kind_t rhost_kind(rhost_json v) {
	if (v.n == 0) return RHOST_MISSING;
	switch (v.p[0]) {
	case 'n': return RHOST_NULL;
	case 't':
	case 'f': return RHOST_BOOL;
	case '"': return RHOST_STRING;
	case '[': return RHOST_LIST;
	case '{': return RHOST_OBJECT;
	}
	return RHOST_NUMBER;
}

/* rhost_exists is true for a value that is there; null is. */
RHOST__FN bool rhost_exists(rhost_json v) { return v.n != 0; }

/* rhost_bool returns a boolean, or false. */
RHOST__FN bool rhost_bool(rhost_json v) { return v.n != 0 && v.p[0] == 't'; }

/* rhost_iter walks over a list or an object:
 *
 *     for (rhost_iter it = rhost_items(list); rhost_next(&it);) use(it.value);
 *
 * For an object, it.key is the name of the member as it stands in the text, in
 * quotes: rhost_string(it.key). Anything else has no items. */
typedef struct {
	rhost_json value, key;
	rhost_json in;
	uint32_t at;
} rhost_iter;

RHOST__FN rhost_iter rhost_items(rhost_json v) {
	rhost_iter it = {{0, 0}, {0, 0}, {0, 0}, 1};
	if (rhost_kind(v) == RHOST_LIST || rhost_kind(v) == RHOST_OBJECT) it.in = v;
	return it;
}

RHOST__BIG bool rhost_next(rhost_iter *it) {
	rhost_json in = it->in;
	uint32_t i = rhost__space(in, it->at);
	it->in.n = 0; /* until all is well */
	if (it->at > 1 && i < in.n && in.p[i] == ',') i = rhost__space(in, i + 1);
	if (i >= in.n || in.p[i] == ']' || in.p[i] == '}') return false;
	if (in.p[0] == '{') {
		if (in.p[i] != '"') return false;
		uint32_t end = rhost__string_end(in, i);
		if (end == RHOST__NONE) return false;
		it->key = rhost__part(in, i, end);
		i = rhost__space(in, end);
		if (i >= in.n || in.p[i] != ':') return false;
		i = rhost__space(in, i + 1);
	}
	uint32_t end = rhost__value_end(in, i);
	if (end == RHOST__NONE) return false;
	it->value = rhost__part(in, i, end);
	it->at = end;
	it->in = in;
	return true;
}

/* rhost_len returns the number of items of a list or of members of an object. */
RHOST__FN uint32_t rhost_len(rhost_json v) {
	uint32_t n = 0;
	for (rhost_iter it = rhost_items(v); rhost_next(&it);) n++;
	return n;
}

/* rhost_at returns an item of a list. */
RHOST__FN rhost_json rhost_at(rhost_json v, uint32_t index) {
	rhost_json none = {0, 0};
	if (rhost_kind(v) != RHOST_LIST) return none;
	for (rhost_iter it = rhost_items(v); rhost_next(&it); index--)
		if (index == 0) return it.value;
	return none;
}

RHOST__FN int32_t rhost__hex4(const char *p, uint32_t n) {
	int32_t v = 0;
	if (n < 4) return -1;
	for (int i = 0; i < 4; i++) {
		char c = p[i];
		if (rhost__digit(c)) v = v << 4 | (c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f') v = v << 4 | ((c | 32) - 'a' + 10);
		else return -1;
	}
	return v;
}

RHOST__FN uint32_t rhost__put_rune(char *to, uint32_t r) {
	if (r < 0x80) { to[0] = (char)r; return 1; }
	if (r < 0x800) {
		to[0] = (char)(0xc0 | r >> 6);
		to[1] = (char)(0x80 | (r & 63));
		return 2;
	}
	if (r < 0x10000) {
		to[0] = (char)(0xe0 | r >> 12);
		to[1] = (char)(0x80 | (r >> 6 & 63));
		to[2] = (char)(0x80 | (r & 63));
		return 3;
	}
	to[0] = (char)(0xf0 | r >> 18);
	to[1] = (char)(0x80 | (r >> 12 & 63));
	to[2] = (char)(0x80 | (r >> 6 & 63));
	to[3] = (char)(0x80 | (r & 63));
	return 4;
}

/* rhost__escaped reads what follows \u, and a second escape when the first is
 * half a pair. It sets *r and returns how many bytes it read. */
RHOST__FN uint32_t rhost__escaped(const char *p, uint32_t n, uint32_t *r) {
	int32_t high = rhost__hex4(p, n), low;
	*r = 0xfffd;
	if (high < 0) return 0;
	if (high < 0xd800 || high > 0xdfff) {
		*r = (uint32_t)high;
		return 4;
	}
	if (high > 0xdbff || n < 10 || p[4] != '\\' || p[5] != 'u') return 4;
	low = rhost__hex4(p + 6, n - 6);
	if (low < 0xdc00 || low > 0xdfff) return 4;
	*r = 0x10000u + ((uint32_t)(high - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
	return 10;
}

/* rhost_string returns the text of a string, without its quotes and escapes; an
 * empty text for anything else. It lies in the JSON text where that is possible. */
RHOST__FN rhost_str rhost_string(rhost_json v) {
	rhost_str s = {"", 0};
	if (rhost_kind(v) != RHOST_STRING || v.n < 2) return s;
	const char *q = v.p + 1;
	uint32_t n = v.n - 2, i = 0;
	while (i < n && q[i] != '\\') i++;
	if (i == n) {
		s.p = q;
		s.n = n;
		return s;
	}
	char *to = (char *)rhost_alloc(n);
	rhost__copy(to, q, i);
	s.p = to;
	s.n = i;
	for (; i < n; i++) {
		if (q[i] != '\\' || i + 1 >= n) {
			to[s.n++] = q[i];
			continue;
		}
		uint32_t r;
		switch (q[++i]) {
		case 'n': to[s.n++] = '\n'; break;
		case 't': to[s.n++] = '\t'; break;
		case 'r': to[s.n++] = '\r'; break;
		case 'b': to[s.n++] = '\b'; break;
		case 'f': to[s.n++] = '\f'; break;
		case 'u':
			i += rhost__escaped(q + i + 1, n - i - 1, &r);
			if (q[i] == 'u') to[s.n++] = '?'; /* no digits: there is no room for more */
			else s.n += rhost__put_rune(to + s.n, r);
			break;
		default: to[s.n++] = q[i];
		}
	}
	return s;
}

/* rhost__named compares the name of a member, in quotes, without unescaping it
 * where there is nothing to unescape. */
RHOST__FN bool rhost__named(rhost_json quoted, rhost_str name) {
	for (uint32_t i = 1; i + 1 < quoted.n; i++)
		if (quoted.p[i] == '\\') return rhost_equal(rhost_string(quoted), name);
	rhost_str inner = {quoted.p + 1, quoted.n - 2};
	return rhost_equal(inner, name);
}

/* rhost_member returns the member of an object with that name. */
RHOST__BIG rhost_json rhost_member(rhost_json v, rhost_str name) {
	rhost_json none = {0, 0};
	if (rhost_kind(v) != RHOST_OBJECT) return none;
	for (rhost_iter it = rhost_items(v); rhost_next(&it);)
		if (rhost__named(it.key, name)) return it.value;
	return none;
}

/* rhost__bracket takes a step in brackets off a path: [0] or ["odd name"]. */
RHOST__FN rhost_json rhost__bracket(rhost_json v, rhost_json *path) {
	rhost_json none = {0, 0}, quoted;
	uint32_t i = 1, index = 0;
	if (path->n > 1 && path->p[1] == '"') {
		i = rhost__string_end(*path, 1);
		if (i == RHOST__NONE) return none;
		quoted = rhost__part(*path, 1, i);
		v = rhost_member(v, rhost_string(quoted));
	} else {
		for (; i < path->n && rhost__digit(path->p[i]) && index < 100000000u; i++) index = index * 10 + (uint32_t)(path->p[i] - '0');
		if (i == 1) return none;
		v = rhost_at(v, index);
	}
	if (i >= path->n || path->p[i] != ']') return none;
	i++;
	if (i < path->n) {
		if (path->p[i] == '.') {
			if (++i == path->n) return none;
		} else if (path->p[i] != '[') return none;
	}
	*path = rhost__part(*path, i, path->n);
	return v;
}

/* rhost_find is rhost_get for a path that is no C string. */
RHOST__FN rhost_json rhost_find(rhost_json v, rhost_str path) {
	rhost_json rest = {path.p, path.n}, none = {0, 0};
	while (rest.n && v.n) {
		if (rest.p[0] == '[') {
			v = rhost__bracket(v, &rest);
			continue;
		}
		uint32_t i = 0;
		while (i < rest.n && rest.p[i] != '.' && rest.p[i] != '[') i++;
		rhost_str name = {rest.p, i};
		if (i < rest.n && rest.p[i] == '.' && ++i == rest.n) return none;
		if (name.n == 0) return none;
		v = rhost_member(v, name);
		rest = rhost__part(rest, i, rest.n);
	}
	return v;
}

/* rhost_get returns the part at path: names joined by dots, places in lists in
 * brackets, names of unusual form in brackets and quotes, as in
 *
 *     user.name    items[0].id    ["odd key"].x
 *
 * It is missing when there is nothing there. */
RHOST__FN rhost_json rhost_get(rhost_json v, const char *path) { return rhost_find(v, rhost_s(path)); }

/* ---- Numbers ------------------------------------------------------------- */

/* A number as large as a conversion between binary and decimal needs. */
struct rhost__big {
	uint32_t n;
	uint32_t d[64]; /* least significant first */
};

RHOST__FN void rhost__big_mul(struct rhost__big *b, uint32_t by) {
	uint64_t carry = 0;
	for (uint32_t i = 0; i < b->n; i++) {
		carry += (uint64_t)b->d[i] * by;
		b->d[i] = (uint32_t)carry;
		carry >>= 32;
	}
	if (carry && b->n < 64) b->d[b->n++] = (uint32_t)carry;
}

/* rhost__big_div divides and returns the remainder. */
RHOST__FN uint32_t rhost__big_div(struct rhost__big *b, uint32_t by) {
	uint64_t rest = 0;
	for (uint32_t i = b->n; i-- > 0;) {
		rest = rest << 32 | b->d[i];
		b->d[i] = (uint32_t)(rest / by);
		rest %= by;
	}
	while (b->n && b->d[b->n - 1] == 0) b->n--;
	return (uint32_t)rest;
}

RHOST__FN void rhost__big_shift(struct rhost__big *b, uint32_t bits) {
	uint32_t words = bits / 32;
	rhost__big_mul(b, 1u << (bits % 32));
	for (uint32_t i = b->n; i-- > 0;) b->d[i + words] = b->d[i];
	for (uint32_t i = 0; i < words; i++) b->d[i] = 0;
	if (b->n) b->n += words;
}

/* rhost__big_pow10 multiplies by 10 to the power e, or divides by 10 to the
 * power -e. It reports whether the division left a rest. */
RHOST__FN bool rhost__big_pow10(struct rhost__big *b, int e) {
	bool rest = false;
	for (; e >= 9; e -= 9) rhost__big_mul(b, 1000000000u);
	for (; e > 0; e--) rhost__big_mul(b, 10);
	for (; e <= -9; e += 9) rest |= rhost__big_div(b, 1000000000u) != 0;
	for (; e < 0; e++) rest |= rhost__big_div(b, 10) != 0;
	return rest;
}

RHOST__FN struct rhost__big rhost__big_of(uint64_t v) {
	struct rhost__big b;
	b.d[0] = (uint32_t)v;
	b.d[1] = (uint32_t)(v >> 32);
	b.n = b.d[1] ? 2 : b.d[0] ? 1 : 0;
	return b;
}

RHOST__FN double rhost__from_bits(uint64_t bits) {
	double d;
	__builtin_memcpy(&d, &bits, 8);
	return d;
}

RHOST__FN uint64_t rhost__to_bits(double d) {
	uint64_t bits;
	__builtin_memcpy(&bits, &d, 8);
	return bits;
}

RHOST__FN bool rhost__big_bit(const struct rhost__big *b, int i) { return i >= 0 && (b->d[i / 32] >> (i % 32) & 1); }

/* rhost__round makes the nearest double of b times 2 to the power e; sticky says
 * that the true value is a little more. Too large gives infinity. */
RHOST__FN double rhost__round(const struct rhost__big *b, int e, bool sticky) {
	if (b->n == 0) return 0;
	int top = (int)b->n * 32 - 1;
	while (!rhost__big_bit(b, top)) top--;
	int exponent = top + e; /* of the leading bit */
	int keep = exponent < -1022 ? 53 + exponent + 1022 : 53;
	if (keep < 0) return 0;
	uint64_t m = 0;
	for (int i = 0; i < keep; i++) m = m << 1 | (uint64_t)rhost__big_bit(b, top - i);
	bool half = rhost__big_bit(b, top - keep);
	for (int i = top - keep - 1; i >= 0 && !sticky; i--) sticky = rhost__big_bit(b, i);
	if (half && (sticky || (m & 1))) m++;
	if (m == 1ull << 53) {
		m >>= 1;
		exponent++;
	}
	if (exponent > 1023) return rhost__from_bits(0x7ffull << 52);
	if (m < 1ull << 52) return rhost__from_bits(m); /* subnormal */
	if (exponent < -1022) exponent = -1022;
	return rhost__from_bits((uint64_t)(exponent + 1023) << 52 | (m & ((1ull << 52) - 1)));
}

/* rhost__decimal is the double nearest to digits times 10 to the power e. */
RHOST__BIG double rhost__decimal(uint64_t digits, int e, bool sticky) {
	static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
		1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
	if (digits == 0) return 0;
	if (digits < 1ull << 53 && !sticky && e >= -22 && e <= 22) /* both are exact */
		return e < 0 ? (double)digits / tens[-e] : (double)digits * tens[e];
	if (e > 310) return rhost__from_bits(0x7ffull << 52);
	if (e < -400) return 0;
	struct rhost__big b = rhost__big_of(digits);
	int shift = 0;
	if (e < 0) { /* room for the quotient's bits */
		shift = 70 + -e * 10 / 3;
		rhost__big_shift(&b, (uint32_t)shift);
	}
	sticky |= rhost__big_pow10(&b, e);
	return rhost__round(&b, -shift, sticky);
}

/* rhost_num returns a number, or 0. It is the nearest double for numbers of up
 * to 19 digits; what a double cannot hold is 0. */
RHOST__BIG double rhost_num(rhost_json v) {
	if (rhost_kind(v) != RHOST_NUMBER) return 0;
	uint32_t i = v.p[0] == '-', start = i, significant = 0;
	uint64_t digits = 0;
	int e = 0, exponent = 0;
	bool sticky = false, point = false;
	for (; i < v.n; i++) {
		char c = v.p[i];
		if (c == '.' && !point && i > start) {
			point = true;
			continue;
		}
		if (!rhost__digit(c)) break;
		if (significant < 19) {
			digits = digits * 10 + (uint64_t)(c - '0');
			if (digits) significant++;
			e -= point;
		} else {
			sticky |= c != '0';
			if (!point && e < 100000) e++;
		}
	}
	if (i == start) return 0;
	if (i < v.n && (v.p[i] | 32) == 'e') {
		bool minus = i + 1 < v.n && v.p[i + 1] == '-';
		i += 1 + (i + 1 < v.n && (minus || v.p[i + 1] == '+'));
		if (i == v.n) return 0;
		for (; i < v.n && rhost__digit(v.p[i]); i++)
			if (exponent < 100000) exponent = exponent * 10 + (v.p[i] - '0');
		if (minus) exponent = -exponent;
	}
	if (i != v.n) return 0;
	if (e < -100000) e = -100000;
	double d = rhost__decimal(digits, e + exponent, sticky);
	if (d == rhost__from_bits(0x7ffull << 52)) return 0;
	return v.p[0] == '-' ? -d : d;
}

/* rhost_int returns a number, cut to an integer and to what an int64_t holds,
 * or 0. */
RHOST__FN int64_t rhost_int(rhost_json v) {
	if (rhost_kind(v) != RHOST_NUMBER) return 0;
	uint32_t i = v.p[0] == '-';
	uint64_t n = 0, most = i ? 1ull << 63 : (1ull << 63) - 1;
	if (i < v.n)
		for (; i < v.n && rhost__digit(v.p[i]); i++) {
			uint64_t digit = (uint64_t)(v.p[i] - '0');
			if (n > (most - digit) / 10) break;
			n = n * 10 + digit;
		}
	if (i == v.n) return v.p[0] == '-' ? (int64_t)(0 - n) : (int64_t)n;
	double d = rhost_num(v);
	if (d >= 9223372036854775808.0) return INT64_MAX;
	if (d <= -9223372036854775808.0) return INT64_MIN;
	return (int64_t)d;
}

/* rhost__digits writes v in decimal and returns how many digits it has. */
RHOST__FN uint32_t rhost__digits(char *to, uint64_t v) {
	char back[20];
	uint32_t n = 0;
	do back[n++] = (char)('0' + v % 10);
	while (v /= 10);
	for (uint32_t i = 0; i < n; i++) to[i] = back[n - 1 - i];
	return n;
}

/* rhost__scale returns v (above 0) as 17 digits, rounded, and their exponent. */
RHOST__FN uint64_t rhost__scale(double v, int *e10) {
	uint64_t bits = rhost__to_bits(v), m = bits & ((1ull << 52) - 1);
	int e2 = (int)(bits >> 52), top = 63;
	if (e2) m |= 1ull << 52;
	else e2 = 1;
	e2 -= 1075;
	while (!(m >> top & 1)) top--;
	for (int e = 19 - (top + e2) * 1233 / 4096;; e--) { /* from too many digits to 18 */
		struct rhost__big b = rhost__big_of(m);
		if (e2 > 0) rhost__big_shift(&b, (uint32_t)e2);
		bool sticky = rhost__big_pow10(&b, e);
		for (int left = -e2; left > 0; left -= 30) sticky |= rhost__big_div(&b, 1u << (left < 30 ? left : 30)) != 0;
		uint64_t n = b.n > 1 ? (uint64_t)b.d[1] << 32 | b.d[0] : b.d[0];
		if (b.n > 2 || n >= 1000000000000000000ull) continue;
		uint32_t last = (uint32_t)(n % 10);
		n /= 10;
		if (last > 5 || (last == 5 && (sticky || (n & 1)))) n++;
		*e10 = 1 - e;
		return n;
	}
}

/* ---- JSON: writing ------------------------------------------------------- */

/* rhost_writer makes JSON text. Commas are its business; that every list and
 * object that is opened is ended, and every member has a value, is yours. */
typedef struct {
	char *p;
	uint32_t n, cap;
	bool comma;
} rhost_writer;

RHOST__FN rhost_writer rhost_write(void) {
	rhost_writer w = {0, 0, 0, false};
	return w;
}

/* rhost_done returns what was written. */
RHOST__FN rhost_json rhost_done(const rhost_writer *w) {
	rhost_json v = {w->p, w->n};
	return v;
}

RHOST__BIG char *rhost__room(rhost_writer *w, uint32_t n) {
	if (n > w->cap - w->n) {
		uint32_t cap = w->cap * 2 > w->n + n ? w->cap * 2 : w->n + n + 120;
		char *p = (char *)rhost_alloc(cap);
		rhost__copy(p, w->p, w->n);
		w->p = p;
		w->cap = cap;
	}
	return w->p + w->n;
}

RHOST__BIG void rhost__raw(rhost_writer *w, const char *p, uint32_t n) {
	rhost__copy(rhost__room(w, n), p, n);
	w->n += n;
}

RHOST__BIG void rhost__value(rhost_writer *w) {
	if (w->comma) rhost__raw(w, ",", 1);
	w->comma = true;
}

RHOST__FN void rhost__open(rhost_writer *w, const char *c) {
	rhost__value(w);
	rhost__raw(w, c, 1);
	w->comma = false;
}

RHOST__FN void rhost__close(rhost_writer *w, const char *c) {
	rhost__raw(w, c, 1);
	w->comma = true;
}

RHOST__FN void rhost_object(rhost_writer *w) { rhost__open(w, "{"); }
RHOST__FN void rhost_end_object(rhost_writer *w) { rhost__close(w, "}"); }
RHOST__FN void rhost_list(rhost_writer *w) { rhost__open(w, "["); }
RHOST__FN void rhost_end_list(rhost_writer *w) { rhost__close(w, "]"); }

/* rhost__rune reads one character of UTF-8 at p and its length; the replacement
 * character for a byte that is none. */
RHOST__FN uint32_t rhost__rune(const char *text, uint32_t n, uint32_t *len) {
	const unsigned char *p = (const unsigned char *)text;
	uint32_t r = p[0], more = r >= 0xf0 ? 3 : r >= 0xe0 ? 2 : 1;
	*len = 1;
	if (r < 0xc2 || r > 0xf4 || more >= n) return 0xfffd;
	r &= 0x3fu >> more;
	for (uint32_t i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80) return 0xfffd;
		r = r << 6 | (p[i] & 63);
	}
	if ((more == 2 && r < 0x800) || (more == 3 && (r < 0x10000 || r > 0x10ffff)) || (r >= 0xd800 && r <= 0xdfff)) return 0xfffd;
	*len = more + 1;
	return r;
}

RHOST__BIG void rhost__quote(rhost_writer *w, rhost_str s) {
	rhost__raw(w, "\"", 1);
	for (uint32_t i = 0; i < s.n;) {
		unsigned char c = (unsigned char)s.p[i];
		char *to = rhost__room(w, 6);
		uint32_t len = 1;
		if (c == '"' || c == '\\') {
			to[0] = '\\';
			to[1] = (char)c;
			w->n += 2;
		} else if (c < ' ') {
			static const char hex[] = "0123456789abcdef";
			rhost__copy(to, "\\u00", 4);
			to[4] = hex[c >> 4];
			to[5] = hex[c & 15];
			w->n += 6;
		} else if (c < 0x80) {
			to[0] = (char)c;
			w->n++;
		} else w->n += rhost__put_rune(to, rhost__rune(s.p + i, s.n - i, &len));
		i += len;
	}
	rhost__raw(w, "\"", 1);
}

/* rhost_key writes the name of a member; its value comes next. */
RHOST__FN void rhost_key(rhost_writer *w, rhost_str name) {
	rhost__value(w);
	rhost__quote(w, name);
	rhost__raw(w, ":", 1);
	w->comma = false;
}

/* rhost_put_str writes a string. Bytes that are not UTF-8 become U+FFFD. */
RHOST__FN void rhost_put_str(rhost_writer *w, rhost_str s) {
	rhost__value(w);
	rhost__quote(w, s);
}

RHOST__FN void rhost_put_uint(rhost_writer *w, uint64_t v) {
	rhost__value(w);
	w->n += rhost__digits(rhost__room(w, 20), v);
}

RHOST__FN void rhost_put_int(rhost_writer *w, int64_t v) {
	rhost__value(w);
	if (v < 0) rhost__raw(w, "-", 1);
	w->n += rhost__digits(rhost__room(w, 20), v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

RHOST__FN void rhost_put_bool(rhost_writer *w, bool v) {
	rhost__value(w);
	rhost__raw(w, v ? "true" : "false", v ? 4 : 5);
}

RHOST__FN void rhost_put_null(rhost_writer *w) {
	rhost__value(w);
	rhost__raw(w, "null", 4);
}

/* rhost_put_json writes a value that is JSON already; null when it is missing. */
RHOST__FN void rhost_put_json(rhost_writer *w, rhost_json v) {
	if (v.n == 0) {
		rhost_put_null(w);
		return;
	}
	rhost__value(w);
	rhost__raw(w, v.p, v.n);
}

/* rhost_put_num writes a number with as many digits as it takes to read the same
 * one again. Infinity and not-a-number, which JSON has not, become null. */
RHOST__FN void rhost_put_num(rhost_writer *w, double v) {
	if (v != v || v - v != 0) {
		rhost_put_null(w);
		return;
	}
	if (v >= -9007199254740992.0 && v <= 9007199254740992.0 && v == (double)(int64_t)v) {
		rhost_put_int(w, (int64_t)v);
		return;
	}
	rhost__value(w);
	if (v < 0) {
		rhost__raw(w, "-", 1);
		v = -v;
	}
	int e;
	uint64_t digits = rhost__scale(v, &e);
	for (uint64_t cut = 100; cut >= 10; cut /= 10) { /* 15 digits, then 16 */
		uint64_t fewer = (digits + cut / 2) / cut;
		if (rhost__decimal(fewer, e + (cut == 100 ? 2 : 1), false) == v) {
			digits = fewer;
			e += cut == 100 ? 2 : 1;
			break;
		}
	}
	for (; digits % 10 == 0; e++) digits /= 10;
	char text[20];
	uint32_t n = rhost__digits(text, digits);
	int point = (int)n + e; /* digits before the point */
	if (point > 0 && e < 0) {
		rhost__raw(w, text, (uint32_t)point);
		rhost__raw(w, ".", 1);
		rhost__raw(w, text + point, n - (uint32_t)point);
		return;
	}
	if (point <= 0 && point > -6) {
		rhost__raw(w, "0.000000", (uint32_t)(2 - point));
		rhost__raw(w, text, n);
		return;
	}
	rhost__raw(w, text, 1);
	if (n > 1) {
		rhost__raw(w, ".", 1);
		rhost__raw(w, text + 1, n - 1);
	}
	rhost__raw(w, point < 1 ? "e-" : "e+", 2);
	w->n += rhost__digits(rhost__room(w, 20), (uint64_t)(point < 1 ? 1 - point : point - 1));
}

RHOST__FN void rhost__two(rhost_writer *w, uint32_t v, char after) {
	char *to = rhost__room(w, 3);
	to[0] = (char)('0' + v / 10 % 10);
	to[1] = (char)('0' + v % 10);
	to[2] = after;
	w->n += 3;
}

/* rhost_put_time writes a time as a string in the form of RFC 3339, in UTC. */
RHOST__FN void rhost_put_time(rhost_writer *w, int64_t sec, uint32_t nsec) {
	int64_t day = sec / 86400, rest = sec % 86400;
	if (rest < 0) {
		rest += 86400;
		day--;
	}
	/* Years that begin in March, counted in eras of 400 years from year 0. */
	int64_t z = day + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	uint32_t doe = (uint32_t)(z - era * 146097);
	uint32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint32_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	uint32_t mp = (5 * doy + 2) / 153, month = mp < 10 ? mp + 3 : mp - 9;
	int64_t year = (int64_t)yoe + era * 400 + (month <= 2);
	rhost__value(w);
	rhost__raw(w, "\"", 1);
	if (year < 0) {
		rhost__raw(w, "-", 1);
		year = -year;
	}
	for (int64_t at = 1000; year < at && at > 1; at /= 10) rhost__raw(w, "0", 1);
	w->n += rhost__digits(rhost__room(w, 20), (uint64_t)year);
	rhost__raw(w, "-", 1);
	rhost__two(w, month, '-');
	rhost__two(w, doy - (153 * mp + 2) / 5 + 1, 'T');
	rhost__two(w, (uint32_t)(rest / 3600), ':');
	rhost__two(w, (uint32_t)(rest / 60 % 60), ':');
	rhost__two(w, (uint32_t)(rest % 60), '.');
	for (uint32_t at = 100000000, left = nsec % 1000000000u; left; left %= at, at /= 10) {
		char c = (char)('0' + left / at);
		rhost__raw(w, &c, 1);
	}
	if (w->p[w->n - 1] == '.') w->n--;
	rhost__raw(w, "Z\"", 2);
}

/* Members of an object: a name and a value in one step. */
RHOST__FN void rhost_member_str(rhost_writer *w, const char *name, rhost_str v) { rhost_key(w, rhost_s(name)); rhost_put_str(w, v); }
RHOST__FN void rhost_member_int(rhost_writer *w, const char *name, int64_t v) { rhost_key(w, rhost_s(name)); rhost_put_int(w, v); }
RHOST__FN void rhost_member_num(rhost_writer *w, const char *name, double v) { rhost_key(w, rhost_s(name)); rhost_put_num(w, v); }
RHOST__FN void rhost_member_bool(rhost_writer *w, const char *name, bool v) { rhost_key(w, rhost_s(name)); rhost_put_bool(w, v); }
RHOST__FN void rhost_member_json(rhost_writer *w, const char *name, rhost_json v) { rhost_key(w, rhost_s(name)); rhost_put_json(w, v); }

/* ---- The wire ------------------------------------------------------------ */

/* rhost__reader walks over a message. After the first field that does not fit it
 * gives zeros and keeps what was wrong. */
struct rhost__reader {
	const char *p;
	uint32_t n;
	const char *bad; /* the field, or 0 */
};

RHOST__FN const char *rhost__take(struct rhost__reader *r, uint32_t n, const char *field) {
	if (n > r->n) {
		if (!r->bad) r->bad = field;
		r->n = 0;
		return 0;
	}
	const char *p = r->p;
	r->p += n;
	r->n -= n;
	return p;
}

RHOST__BIG uint64_t rhost__fixed(struct rhost__reader *r, uint32_t n, const char *field) {
	const unsigned char *p = (const unsigned char *)rhost__take(r, n, field);
	uint64_t v = 0;
	if (!p) return 0;
	while (n-- > 0) v = v << 8 | p[n];
	return v;
}

RHOST__BIG rhost_str rhost__field(struct rhost__reader *r, const char *field) {
	rhost_str s = {"", 0};
	uint32_t n = (uint32_t)rhost__fixed(r, 4, field);
	const char *p = rhost__take(r, n, field);
	if (p) {
		s.p = p;
		s.n = n;
	}
	return s;
}

/* rhost__message is a request under construction. */
struct rhost__message {
	char *p;
	uint32_t n;
};

RHOST__FN struct rhost__message rhost__begin(uint32_t room) {
	struct rhost__message m = {(char *)rhost_alloc(room), 0};
	return m;
}

RHOST__FN void rhost__put(struct rhost__message *m, uint64_t v, uint32_t n) {
	for (; n-- > 0; v >>= 8) m->p[m->n++] = (char)v;
}

RHOST__FN void rhost__put_tail(struct rhost__message *m, const char *p, uint32_t n) {
	rhost__copy(m->p + m->n, p, n);
	m->n += n;
}

RHOST__FN void rhost__put_field(struct rhost__message *m, rhost_str s) {
	rhost__put(m, s.n, 4);
	rhost__put_tail(m, s.p, s.n);
}

/* rhost__ask makes a request and fetches the answer. */
RHOST__BIG rhost_status rhost__ask(rhost__service *service, const void *in, uint32_t n, rhost_str *answer) {
	enum { usual = 512 };
	char *out = (char *)rhost_alloc(usual);
	uint64_t result = service(in, n, out, usual);
	rhost_status st = (rhost_status)(result >> 32);
	uint32_t len = (uint32_t)result;
	if (st == RHOST_STATUS_TOO_SMALL) { /* it has run; its answer waits to be taken */
		out = (char *)rhost_alloc(len);
		st = rhost_sys_take(out, len) == (int32_t)len ? RHOST_STATUS_OK : RHOST_STATUS_INTERNAL;
	} else if (st == RHOST_STATUS_OK && len > usual) st = RHOST_STATUS_INTERNAL;
	bool kept = answer && st == RHOST_STATUS_OK;
	if (kept) {
		answer->p = out;
		answer->n = len;
	}
	if ((uintptr_t)out + usual == rhost__mem.at) /* give back what the answer does not need */
		rhost__mem.at = (uintptr_t)out + (kept ? (len + 7) & ~7u : 0);
	return st;
}

/* ---- The call ------------------------------------------------------------ */

/* rhost_call is one invocation. Its texts lie in the input and last as long as
 * the call. */
typedef struct {
	rhost_str id, source, type, subject; /* of the event; type is empty when time completed the match */
	rhost_str datacontenttype, dataschema;
	bool has_event, has_time;
	int64_t sec;        /* time of the event, since 1970-01-01T00:00:00Z */
	uint32_t nsec;
	rhost_json data;    /* payload of the event; missing when it has none or is not JSON */
	rhost_str raw_data; /* payload as it came */
	rhost_json with;    /* arguments of the step; missing when it has none */
	rhost_json match;   /* tenant, rule, version, id, at, trigger, bind */
	uint32_t attempt;   /* 1 for the first try */
	rhost_str key;      /* idempotency key of the step: the same for every attempt */
	struct rhost__reader ext;
	uint32_t ext_count;
} rhost_call;

/* One extension attribute of an event. */
struct rhost__attr {
	rhost_str name, text;
	uint32_t kind, nsec;
	uint64_t bits;
};

RHOST__FN struct rhost__attr rhost__read_attr(struct rhost__reader *r) {
	static const char field[] = "event.ext";
	struct rhost__attr a = {{"", 0}, {"", 0}, 0, 0, 0};
	a.name = rhost__field(r, field);
	a.kind = (uint32_t)rhost__fixed(r, 1, field);
	switch (a.kind) {
	case 0: break;
	case 1: a.bits = rhost__fixed(r, 1, field); break;
	case 2: a.bits = rhost__fixed(r, 8, field); break;
	case 4:
		a.bits = rhost__fixed(r, 8, field);
		a.nsec = (uint32_t)rhost__fixed(r, 4, field);
		break;
	case 3:
	case 5:
	case 6: a.text = rhost__field(r, field); break;
	default:
		if (!r->bad) r->bad = field;
		r->n = 0;
	}
	return a;
}

/* rhost__decode reads an input frame. It returns the field where it went wrong,
 * or 0. */
RHOST__FN const char *rhost__decode(rhost_call *c, const char *p, uint32_t n) {
	struct rhost__reader r = {p, n, 0};
	uint32_t version = (uint32_t)rhost__fixed(&r, 2, "version");
	uint32_t flags = (uint32_t)rhost__fixed(&r, 2, "flags");
	c->attempt = (uint32_t)rhost__fixed(&r, 4, "attempt");
	c->sec = (int64_t)rhost__fixed(&r, 8, "event.time");
	c->nsec = (uint32_t)rhost__fixed(&r, 4, "event.time");
	c->key = rhost__field(&r, "key");
	rhost_str match = rhost__field(&r, "match"), with = rhost__field(&r, "with");
	c->id = rhost__field(&r, "event.id");
	c->source = rhost__field(&r, "event.source");
	c->type = rhost__field(&r, "event.type");
	c->subject = rhost__field(&r, "event.subject");
	c->datacontenttype = rhost__field(&r, "event.datacontenttype");
	c->dataschema = rhost__field(&r, "event.dataschema");
	c->raw_data = rhost__field(&r, "event.data");
	c->ext_count = (uint32_t)rhost__fixed(&r, 4, "event.ext");
	c->ext = r;
	for (uint32_t i = 0; i < c->ext_count && !r.bad; i++) rhost__read_attr(&r);
	if (version != 1 && !r.bad) return "version";
	c->has_event = flags & 1;
	c->has_time = flags >> 1 & 1;
	c->match = rhost_parse(match.p, match.n);
	c->with = rhost_parse(with.p, flags >> 4 & 1 ? with.n : 0);
	c->data = rhost_parse(c->raw_data.p, (flags & 12) == 12 ? c->raw_data.n : 0);
	return r.bad;
}

/* rhost_ext returns an extension attribute of the event, as JSON; missing when
 * the event has none of that name. A time is a string in the form of RFC 3339. */
RHOST__FN rhost_json rhost_ext(const rhost_call *c, const char *name) {
	rhost_json none = {0, 0};
	struct rhost__reader r = c->ext;
	for (uint32_t i = 0; i < c->ext_count && !r.bad; i++) {
		struct rhost__attr a = rhost__read_attr(&r);
		if (r.bad || !rhost_is(a.name, name)) continue;
		rhost_writer w = rhost_write();
		switch (a.kind) {
		case 1: rhost_put_bool(&w, a.bits != 0); break;
		case 2: rhost_put_num(&w, rhost__from_bits(a.bits)); break;
		case 3: rhost_put_str(&w, a.text); break;
		case 4: rhost_put_time(&w, (int64_t)a.bits, a.nsec); break;
		case 5:
		case 6: return rhost_parse(a.text.p, a.text.n);
		default: rhost_put_null(&w);
		}
		return rhost_done(&w);
	}
	return none;
}

/* ---- Services ------------------------------------------------------------ */

RHOST__FN rhost_status rhost__named_tail(rhost__service *service, rhost_str name, const char *p, uint32_t n) {
	struct rhost__message m = rhost__begin(4 + name.n + n);
	rhost__put_field(&m, name);
	rhost__put_tail(&m, p, n);
	return rhost__ask(service, m.p, m.n, 0);
}

/* rhost_emit asks for a new event; missing data is none. Effects (emit, notify,
 * state, kv) happen together when the handler returns RHOST_OK. */
RHOST__FN rhost_status rhost_emit(rhost_str type, rhost_json data) {
	return rhost__named_tail(rhost_sys_emit, type, data.p, data.n);
}

/* rhost_notify asks for a message to the subscribers of a topic. */
RHOST__FN rhost_status rhost_notify(rhost_str topic, rhost_json data) {
	if (data.n == 0) data = rhost_text("null");
	return rhost__named_tail(rhost_sys_notify, topic, data.p, data.n);
}

/* rhost_state_get reads a key of the tenant's state. version, which may be null,
 * is for rhost_state_cas; both are empty when the answer is not ok. */
RHOST__FN rhost_status rhost_state_get(rhost_str key, rhost_json *value, uint64_t *version) {
	rhost_str answer;
	rhost_json none = {0, 0};
	*value = none;
	if (version) *version = 0;
	rhost_status st = rhost__ask(rhost_sys_state_get, key.p, key.n, &answer);
	if (st != RHOST_STATUS_OK) return st;
	struct rhost__reader r = {answer.p, answer.n, 0};
	uint64_t v = rhost__fixed(&r, 8, "version");
	if (r.bad) return RHOST_STATUS_INTERNAL;
	if (version) *version = v;
	*value = rhost_parse(r.p, r.n);
	return st;
}

/* rhost_state_set writes a key, whatever it holds; a missing value is null. */
RHOST__FN rhost_status rhost_state_set(rhost_str key, rhost_json value) {
	if (value.n == 0) value = rhost_text("null");
	return rhost__named_tail(rhost_sys_state_set, key, value.p, value.n);
}

/* rhost_state_delete removes a key. One that is absent is no error. */
RHOST__FN rhost_status rhost_state_delete(rhost_str key) { return rhost__named_tail(rhost_sys_state_set, key, 0, 0); }

/* rhost_state_cas writes a key if it still has the version that was read; 0: if
 * it is absent. RHOST_STATUS_CONFLICT says that it has another. When somebody
 * else writes the key before this call is done, the whole call runs again. */
RHOST__FN rhost_status rhost_state_cas(rhost_str key, uint64_t version, rhost_json value) {
	if (value.n == 0) value = rhost_text("null");
	struct rhost__message m = rhost__begin(12 + key.n + value.n);
	rhost__put(&m, version, 8);
	rhost__put_field(&m, key);
	rhost__put_tail(&m, value.p, value.n);
	return rhost__ask(rhost_sys_state_cas, m.p, m.n, 0);
}

/* rhost_kv_get reads a key of the tenant's store of bytes. */
RHOST__FN rhost_status rhost_kv_get(rhost_str key, rhost_str *value) {
	value->n = 0;
	return rhost__ask(rhost_sys_kv_get, key.p, key.n, value);
}

/* rhost_kv_set writes a key; it is gone after ttl milliseconds, 0: never. An empty
 * value deletes it. The last write wins. */
RHOST__FN rhost_status rhost_kv_set(rhost_str key, rhost_str value, uint64_t ttl) {
	struct rhost__message m = rhost__begin(12 + key.n + value.n);
	rhost__put_field(&m, key);
	rhost__put(&m, ttl, 8);
	rhost__put_tail(&m, value.p, value.n);
	return rhost__ask(rhost_sys_kv_set, m.p, m.n, 0);
}

/* rhost_config reads a setting that the operator gave the plugin, or all of them
 * as an object when name is empty. */
RHOST__FN rhost_status rhost_config(rhost_str name, rhost_json *value) {
	rhost_str answer = {"", 0};
	rhost_status st = rhost__ask(rhost_sys_config, name.p, name.n, &answer);
	*value = rhost_parse(answer.p, answer.n);
	return st;
}

/* rhost_now reads the host's clock: seconds since 1970-01-01T00:00:00Z. */
RHOST__FN rhost_status rhost_now(int64_t *sec, uint32_t *nsec) {
	rhost_str answer = {"", 0};
	rhost_status st = rhost__ask(rhost_sys_now, 0, 0, &answer);
	struct rhost__reader r = {answer.p, answer.n, 0};
	*sec = (int64_t)rhost__fixed(&r, 8, "seconds");
	*nsec = (uint32_t)rhost__fixed(&r, 4, "nanoseconds");
	return st == RHOST_STATUS_OK && r.bad ? RHOST_STATUS_INTERNAL : st;
}

/* rhost_random fills n bytes at p with random bytes of the host. */
RHOST__FN rhost_status rhost_random(void *p, uint32_t n) {
	char *to = (char *)p;
	while (n > 0) {
		uint32_t part = n < 4096 ? n : 4096;
		struct rhost__message m = rhost__begin(4);
		rhost_str answer;
		rhost__put(&m, part, 4);
		rhost_status st = rhost__ask(rhost_sys_random, m.p, m.n, &answer);
		if (st != RHOST_STATUS_OK) return st;
		if (answer.n != part) return RHOST_STATUS_INTERNAL;
		rhost__copy(to, answer.p, part);
		to += part;
		n -= part;
	}
	return RHOST_STATUS_OK;
}

typedef struct {
	rhost_str name, value;
} rhost_header;

typedef struct {
	rhost_str method, url, body;
	const rhost_header *headers;
	uint32_t header_count;
	uint32_t timeout; /* milliseconds; 0: what is left of the call */
} rhost_http_request;

typedef struct {
	uint32_t status; /* of HTTP, as 200 */
	rhost_header *headers;
	uint32_t header_count;
	rhost_str body;
} rhost_http_response;

/* rhost_http makes a request. It runs at once and is not undone when the call
 * fails. An answer of 404 or 500 is an answer: the status of the service is ok. */
RHOST__FN rhost_status rhost_http(const rhost_http_request *q, rhost_http_response *a) {
	rhost_http_response none = {0, 0, 0, {"", 0}};
	uint32_t room = 16 + q->method.n + q->url.n + q->body.n;
	for (uint32_t i = 0; i < q->header_count; i++) room += 8 + q->headers[i].name.n + q->headers[i].value.n;
	struct rhost__message m = rhost__begin(room);
	rhost__put_field(&m, q->method);
	rhost__put_field(&m, q->url);
	rhost__put(&m, q->timeout, 4);
	rhost__put(&m, q->header_count, 4);
	for (uint32_t i = 0; i < q->header_count; i++) {
		rhost__put_field(&m, q->headers[i].name);
		rhost__put_field(&m, q->headers[i].value);
	}
	rhost__put_tail(&m, q->body.p, q->body.n);
	*a = none;
	rhost_str answer;
	rhost_status st = rhost__ask(rhost_sys_http, m.p, m.n, &answer);
	if (st != RHOST_STATUS_OK) return st;
	struct rhost__reader r = {answer.p, answer.n, 0};
	uint32_t status = (uint32_t)rhost__fixed(&r, 4, "status");
	uint32_t count = (uint32_t)rhost__fixed(&r, 4, "headers");
	if (r.bad || count > r.n / 8) return RHOST_STATUS_INTERNAL;
	rhost_header *headers = (rhost_header *)rhost_alloc(count * (uint32_t)sizeof(rhost_header));
	for (uint32_t i = 0; i < count; i++) {
		headers[i].name = rhost__field(&r, "headers");
		headers[i].value = rhost__field(&r, "headers");
	}
	if (r.bad) return RHOST_STATUS_INTERNAL;
	a->status = status;
	a->headers = headers;
	a->header_count = count;
	a->body.p = r.p;
	a->body.n = r.n;
	return st;
}

RHOST__FN char rhost__lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c; }

/* rhost_header_of returns a header of an answer, empty when it has none of that
 * name. Upper and lower case are the same. */
RHOST__FN rhost_str rhost_header_of(const rhost_http_response *a, const char *name) {
	rhost_str want = rhost_s(name), none = {"", 0};
	for (uint32_t i = 0; i < a->header_count; i++) {
		rhost_str has = a->headers[i].name;
		uint32_t same = 0;
		if (has.n != want.n) continue;
		while (same < has.n && rhost__lower(has.p[same]) == rhost__lower(want.p[same])) same++;
		if (same == has.n) return a->headers[i].value;
	}
	return none;
}

/* rhost_secret reads a secret that the operator granted by name. */
RHOST__FN rhost_status rhost_secret(rhost_str name, rhost_str *value) {
	value->n = 0;
	return rhost__ask(rhost_sys_secret, name.p, name.n, value);
}

/* rhost_has says whether a service may be called, as "http": ok, denied, or
 * unsupported by this host. */
RHOST__FN rhost_status rhost_has(const char *service) {
	rhost_str name = rhost_s(service);
	return rhost__ask(rhost_sys_has, name.p, name.n, 0);
}

/* rhost_log passes a line to the host's log. A line longer than 8 KiB is cut. */
RHOST__FN void rhost_log(int32_t level, rhost_str line) { rhost_sys_log(level, line.p, line.n); }

/* rhost_output sets the output of the step, which later steps of the rule read
 * as steps.ID.out. The last call counts. */
RHOST__FN void rhost_output(rhost_json v) {
	if (v.n == 0) v = rhost_text("null");
	rhost_sys_output(v.p, v.n);
}

/* ---- How a call ends ----------------------------------------------------- */

/* Each says why and returns the result: return rhost_fail(rhost_s("why")); */
RHOST__FN rhost_result rhost__end(rhost_result code, rhost_str why) {
	rhost_sys_fail(code, why.p, why.n);
	return rhost__mem.said = code;
}

RHOST__FN rhost_result rhost_fail(rhost_str why) { return rhost__end(RHOST_FAIL, why); }
RHOST__FN rhost_result rhost_retry(rhost_str why) { return rhost__end(RHOST_RETRY, why); }
RHOST__FN rhost_result rhost_drop(rhost_str why) { return rhost__end(RHOST_DROP, why); }

/* rhost_status_text says what a status means. */
RHOST__FN const char *rhost_status_text(rhost_status st) {
	switch (st) {
	case RHOST_STATUS_OK: return "ok";
	case RHOST_STATUS_NOT_FOUND: return "not found";
	case RHOST_STATUS_DENIED: return "the capability was not granted";
	case RHOST_STATUS_INVALID: return "the request is not valid";
	case RHOST_STATUS_CONFLICT: return "the version is another";
	case RHOST_STATUS_LIMIT: return "a limit of the call is used up";
	case RHOST_STATUS_TIMEOUT: return "timeout";
	case RHOST_STATUS_UNAVAILABLE: return "not available now";
	case RHOST_STATUS_UNSUPPORTED: return "this host does not offer the service";
	}
	return "internal error of the host";
}

/* rhost_refused ends the attempt because a service was not ok:
 *
 *     if (st != RHOST_STATUS_OK) return rhost_refused("state_get", st); */
RHOST__FN rhost_result rhost_refused(const char *service, rhost_status st) {
	rhost_str why = rhost_join(rhost_join(rhost_s(service), rhost_s(": ")), rhost_s(rhost_status_text(st)));
	return rhost_retry(why);
}

/* ---- What a plugin exports ----------------------------------------------- */

typedef rhost_result rhost_handler(rhost_call *c);

RHOST__FN rhost_result rhost__run(rhost_handler *handle, const char *frame, uint32_t n) {
	rhost_call c;
	const char *bad = rhost__decode(&c, frame, n);
	if (bad) return rhost_fail(rhost_join(rhost_s("input: cannot be read at "), rhost_s(bad)));
	return handle(&c);
}

RHOST__FN char *rhost__input(uint32_t n) {
	rhost__reset();
	char *frame = (char *)rhost_alloc(n);
	rhost_sys_input(frame, n);
	return frame;
}

RHOST__FN int32_t rhost__invoke(rhost_handler *handle, uint32_t n) { return rhost__run(handle, rhost__input(n), n); }

/* rhost__batch runs the items one after the other. The memory of each is given
 * back after it; the frames stay. */
RHOST__FN int32_t rhost__batch(rhost_handler *handle, uint32_t n) {
	struct rhost__reader r = {rhost__input(n), n, 0};
	uint32_t count = (uint32_t)rhost__fixed(&r, 4, "count");
	struct rhost__mark mark = rhost__mark_here();
	for (uint32_t i = 0; i < count; i++) {
		rhost_str frame = rhost__field(&r, "item");
		if (r.bad) return rhost_fail(rhost_s("input: the batch ends inside an item"));
		rhost_sys_item((int32_t)i);
		rhost__mem.said = RHOST_OK;
		rhost_result result = rhost__run(handle, frame.p, frame.n);
		if (result != rhost__mem.said && result != RHOST_OK) rhost_sys_fail(result, 0, 0);
		rhost__rewind(mark);
	}
	return RHOST_OK;
}

#define RHOST__COMMON(handle) \
	struct rhost__memory rhost__mem; \
	RHOST__EXPORT(rhost_abi_v1) void rhost_abi_v1(void) {} \
	RHOST__EXPORT(rhost_invoke) int32_t rhost_invoke(uint32_t n) { return rhost__invoke(handle, n); }

/* RHOST_PLUGIN makes a function the handler of the plugin. Once, in one file. */
#define RHOST_PLUGIN(handle) \
	RHOST__COMMON(handle) \
	extern int32_t rhost_invoke(uint32_t n)

/* RHOST_BATCH_PLUGIN is RHOST_PLUGIN for a handler that may be given many calls
 * in one go. Unlike single calls, those of a batch share an instance: static
 * variables keep what the call before left in them. */
#define RHOST_BATCH_PLUGIN(handle) \
	RHOST__COMMON(handle) \
	RHOST__EXPORT(rhost_batch) int32_t rhost_batch(uint32_t n) { return rhost__batch(handle, n); } \
	extern int32_t rhost_batch(uint32_t n)

#endif
