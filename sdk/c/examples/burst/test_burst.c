#include "burst.c"

#include "../../rhost_test.h"

int main(void) {
	rhost_test_input in = {
		.type = "login.failed", .id = "e7", .data = "{\"addr\":\"192.0.2.1\"}",
		.with = "{\"threshold\":3,\"topic\":\"ops\"}",
	};
	const char *want[] = {"1", "2", "3", "4"};
	rhost_test_reset();
	for (int n = 0; n < 4; n++) {
		RHOST_CHECK_INT(RHOST_OK, rhost_test_run(count, in));
		RHOST_CHECK_STR(want[n], rhost_test_value("state", "seen/192.0.2.1"));
		RHOST_CHECK_STR(n == 2 ? "{\"addr\":\"192.0.2.1\",\"seen\":3,\"last\":\"e7\"}" : 0, rhost_test_effect("notify", "ops", 0));
	}
	in.data = "{}";
	RHOST_CHECK_INT(RHOST_DROP, rhost_test_run(count, in));
	return rhost_test_report();
}
