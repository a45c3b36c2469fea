/*
 * golden holds the header to the bytes that freeze the ABI: abi/v1/testdata, whose
 * files follow as "name=hex" arguments. What the header sends is compared with
 * them, and what it is sent is taken from them.
 */
#include "../rhost.h"

#include "../rhost_test.h"

static int files;
static char **file;

static struct rhost_test_bytes golden(const char *name) {
	struct rhost_test_bytes b = {0, 0};
	for (int i = 0; i < files; i++) {
		size_t n = strlen(name);
		if (strncmp(file[i], name, n) || file[i][n] != '=') continue;
		for (const char *p = file[i] + n + 1; p[0] && p[1]; p += 2) {
			char pair[3] = {p[0], p[1], 0};
			rhost_test_fixed(&b, strtoul(pair, 0, 16), 1);
		}
		return b;
	}
	printf("no golden bytes of %s\n", name);
	exit(1);
}

/* sent checks the request that went out last. */
static void sent(const char *name) {
	struct rhost_test_bytes want = golden(name);
	RHOST_CHECK(want.n == rhost_test.request.n && !memcmp(want.p, rhost_test.request.p, want.n));
	free(want.p);
}

static rhost_result messages(rhost_call *c) {
	(void)c;
	rhost_emit(rhost_s("account.locked"), rhost_text("{\"user\":\"root\"}"));
	sent("emit");
	rhost_notify(rhost_s("ops"), rhost_text("\"hi\""));
	sent("notify");
	rhost_state_set(rhost_s("n:root"), rhost_text("{\"n\":5}"));
	sent("state_set");
	rhost_state_cas(rhost_s("n:root"), 7, rhost_text("{\"n\":6}"));
	sent("state_cas");
	uint8_t p[16];
	rhost_random(p, sizeof p);
	sent("random");
	static const char odd[] = {1, (char)255};
	rhost_kv_set(rhost_s("seen/10.0.0.7"), (rhost_str){odd, 2}, 60000);
	sent("kv_set");
	rhost_header type = {rhost_s("content-type"), rhost_s("text/plain")};
	rhost_http_request q = {rhost_s("POST"), rhost_s("https://api.example.com/v1/locks"), rhost_s("root"), &type, 1, 250};
	rhost_http_response a;
	RHOST_CHECK_INT(RHOST_STATUS_OK, rhost_http(&q, &a));
	sent("http");
	RHOST_CHECK_INT(404, a.status);
	RHOST_CHECK(rhost_is(rhost_header_of(&a, "Content-Type"), "text/plain"));
	RHOST_CHECK(rhost_is(a.body, "no"));
	char out[64];
	struct rhost_test_bytes request = golden("http"), want = golden("http_answer");
	RHOST_CHECK_INT(want.n, rhost_sys_http(request.p, (uint32_t)request.n, out, sizeof out));
	RHOST_CHECK(!memcmp(out, want.p, want.n));
	free(request.p);
	free(want.p);
	return RHOST_OK;
}

static rhost_result input(rhost_call *c) {
	RHOST_CHECK_INT(1, c->attempt);
	RHOST_CHECK(c->has_event && c->has_time);
	RHOST_CHECK_INT(1779313507, c->sec);
	RHOST_CHECK_INT(500000000, c->nsec);
	RHOST_CHECK(rhost_is(c->key, "k-01"));
	RHOST_CHECK(rhost_is(rhost_string(rhost_get(c->match, "rule")), "r"));
	RHOST_CHECK_INT(5, rhost_int(rhost_get(c->with, "n")));
	RHOST_CHECK(rhost_is(c->id, "e1"));
	RHOST_CHECK(rhost_is(c->source, "/sshd"));
	RHOST_CHECK(rhost_is(c->type, "ssh.failed"));
	RHOST_CHECK(rhost_is(c->subject, ""));
	RHOST_CHECK(rhost_is(rhost_string(rhost_get(c->data, "user")), "root"));
	RHOST_CHECK(rhost_is(rhost_string(rhost_ext(c, "host")), "web"));
	RHOST_CHECK_INT(22, rhost_int(rhost_ext(c, "port")));
	RHOST_CHECK(!rhost_exists(rhost_ext(c, "none")));
	return RHOST_OK;
}

static rhost_result nothing(rhost_call *c) {
	(void)c;
	return RHOST_OK;
}

/* Every cut of the frame is refused with the name of a field; what later versions
 * append is ignored. */
static void test_input(void) {
	struct rhost_test_bytes b = golden("input");
	RHOST_CHECK_INT(RHOST_OK, rhost_test_run_frame(input, b.p, b.n));
	for (size_t n = 0; n < b.n; n++) {
		RHOST_CHECK_INT(RHOST_FAIL, rhost_test_run_frame(nothing, b.p, n));
		RHOST_CHECK(!strncmp(rhost_test.message, "input: cannot be read at ", 25) && rhost_test.message[25]);
	}
	for (size_t i = 0; i < b.n; i++) { /* lengths and kinds that lie */
		char was = b.p[i];
		b.p[i] = (char)0xff;
		rhost_test_run_frame(nothing, b.p, b.n);
		b.p[i] = was;
	}
	rhost_test_fixed(&b, 0x1234, 2);
	RHOST_CHECK_INT(RHOST_OK, rhost_test_run_frame(input, b.p, b.n));
	free(b.p);
}

/* The answers, as the bytes of the state and the clock make them. */
static rhost_result answers(rhost_call *c) {
	(void)c;
	rhost_json value;
	uint64_t version;
	int64_t sec;
	uint32_t nsec;
	char out[64];
	struct rhost_test_bytes want = golden("state_get_answer");
	RHOST_CHECK_INT(want.n, rhost_sys_state_get("n:root", 6, out, sizeof out));
	RHOST_CHECK(!memcmp(out, want.p, want.n));
	RHOST_CHECK(rhost_sys_state_get("n:root", 6, out, 8) == 0x20000000full);
	RHOST_CHECK_INT(want.n, rhost_sys_take(out, 15));
	RHOST_CHECK(!memcmp(out, want.p, want.n));
	free(want.p);
	RHOST_CHECK_INT(RHOST_STATUS_OK, rhost_state_get(rhost_s("n:root"), &value, &version));
	RHOST_CHECK_INT(7, version);
	RHOST_CHECK_INT(5, rhost_int(rhost_get(value, "n")));
	want = golden("now_answer");
	RHOST_CHECK_INT(want.n, rhost_sys_now(0, 0, out, sizeof out));
	RHOST_CHECK(!memcmp(out, want.p, want.n));
	free(want.p);
	RHOST_CHECK_INT(RHOST_STATUS_OK, rhost_now(&sec, &nsec));
	RHOST_CHECK(sec == 1779313507 && nsec == 500000000);
	return RHOST_OK;
}

/* num checks that a number is read as want, and written as text. */
static void num(const char *in, double want, const char *text) {
	rhost_json v = rhost_text(in);
	double got = rhost_num(v);
	RHOST_CHECK(!memcmp(&got, &want, sizeof got));
	rhost_writer w = rhost_write();
	rhost_put_num(&w, got);
	rhost__raw(&w, "", 1);
	RHOST_CHECK_STR(text, w.p);
}

static void test_numbers(void) {
	num("0.1", 0.1, "0.1");
	num("5e-324", 5e-324, "4.94065645841247e-324");
	num("1.7976931348623157e308", 1.7976931348623157e308, "1.7976931348623157e+308");
	num("2.2250738585072011e-308", 2.2250738585072011e-308, "2.225073858507201e-308");
	num("9007199254740993", 9007199254740992.0, "9007199254740992");
	num("123456789012345678901234567890", 123456789012345678901234567890.0, "1.2345678901234568e+29");
	num("0.000001", 0.000001, "0.000001");
	num("1e999", 0, "0");
	num("1e-999", 0, "0");
	num("-2.5E+1", -25, "-25");
	num("1.5.2", 0, "0");
	uint64_t seed = 1;
	for (int i = 0; i < 20000; i++) { /* any double comes back as itself, and strtod agrees */
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		double d = rhost__from_bits(seed ^ seed >> 29), again;
		if (d != d || d - d != 0) continue;
		rhost_writer w = rhost_write();
		rhost_put_num(&w, d);
		rhost__raw(&w, "", 1);
		again = rhost_num((rhost_json){w.p, w.n - 1});
		if (again != d || strtod(w.p, 0) != d) RHOST_CHECK_STR("itself", w.p);
		rhost__reset();
	}
}

static void test_times(void) {
	static const struct {
		int64_t sec;
		uint32_t nsec;
		const char *want;
	} at[] = {
		{0, 0, "\"1970-01-01T00:00:00Z\""},
		{-1, 7, "\"1969-12-31T23:59:59.000000007Z\""},
		{951782400, 120000000, "\"2000-02-29T00:00:00.12Z\""},
		{-62135596800, 0, "\"0001-01-01T00:00:00Z\""},
		{253402300799, 999999999, "\"9999-12-31T23:59:59.999999999Z\""},
	};
	for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
		rhost_writer w = rhost_write();
		rhost_put_time(&w, at[i].sec, at[i].nsec);
		rhost__raw(&w, "", 1);
		RHOST_CHECK_STR(at[i].want, w.p);
	}
}

int main(int argc, char **argv) {
	files = argc - 1;
	file = argv + 1;
	rhost_test_reset();
	test_input();
	rhost_test.http_type = "text/plain";
	rhost_test_http("POST", "https://api.example.com/v1/locks", 404, "no");
	rhost_test_run(messages, (rhost_test_input){0});
	rhost_test_reset();
	rhost_test_put("state", "n:root", "{\"n\":5}", 7, 7);
	rhost_test.sec = 1779313507;
	rhost_test.nsec = 500000000;
	rhost_test_run(answers, (rhost_test_input){0});
	rhost_test_reset();
	test_numbers();
	test_times();
	return rhost_test_report();
}

RHOST_PLUGIN(nothing);
