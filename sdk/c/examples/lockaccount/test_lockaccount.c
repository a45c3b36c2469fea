#include "lockaccount.c"

#include "../../rhost_test.h"

static rhost_test_input burst(const char *data) {
	rhost_test_input in = {.type = "ssh.burst", .data = data, .with = "{\"reason\":\"five failures\"}"};
	return in;
}

static void test_lock(void) {
	rhost_test_reset();
	rhost_test.config = "{\"protect\":[\"root\"]}";
	RHOST_CHECK_INT(RHOST_OK, rhost_test_run(lock, burst("{\"user\":\"bob\"}")));
	RHOST_CHECK_STR("{\"locked\":\"bob\"}", rhost_test.output);
	RHOST_CHECK_STR("{\"user\":\"bob\",\"reason\":\"five failures\"}", rhost_test_effect("emit", "account.locked", 0));
	RHOST_CHECK_STR("{\"by\":\"test\",\"at\":\"2026-01-01T00:00:00Z\"}", rhost_test_value("state", "locked/bob"));

	RHOST_CHECK_INT(RHOST_DROP, rhost_test_run(lock, burst("{\"user\":\"bob\"}")));
	RHOST_CHECK_STR("bob is locked already", rhost_test.message);

	RHOST_CHECK_INT(RHOST_DROP, rhost_test_run(lock, burst("{\"user\":\"root\"}")));
	RHOST_CHECK_STR("warn: not locked, because the settings protect it: root\n", rhost_test.logs);
}

static void test_without_a_user(void) {
	rhost_test_reset();
	RHOST_CHECK_INT(RHOST_FAIL, rhost_test_run(lock, burst("{}")));
	RHOST_CHECK_STR("the event names no user", rhost_test.message);
}

static void test_without_its_capability(void) {
	rhost_test_reset();
	rhost_test_deny("state_set");
	RHOST_CHECK_INT(RHOST_RETRY, rhost_test_run(lock, burst("{\"user\":\"bob\"}")));
	RHOST_CHECK_STR("state_set: the capability was not granted", rhost_test.message);
}

int main(void) {
	test_lock();
	test_without_a_user();
	test_without_its_capability();
	return rhost_test_report();
}
