/* Lists of targets from files and servers: taken whole, or not at all. */
#include "config_sd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *what, *text;
	bool yaml, local;
	size_t groups, targets; /* of the first group */
	const char *wrong; /* part of the message; NULL when it is right */
} rows[] = {
	{"as Prometheus documents it",
		"[{\"targets\": [\"a:1\", \"[::1]:2\"], \"labels\": {\"job\": \"x\", \"__meta_y\": "
		"\"\"}}, {\"targets\": []}]",
		false, false, 2, 2, NULL},
	{"the same in YAML",
		"- targets: [\"a:1\", \"[::1]:2\"]\n  labels: {job: x, __meta_y: ''}\n- targets: "
		"[]\n",
		true, false, 2, 2, NULL},
	{"JSON is YAML too", "[{\"targets\": [\"a:1\"], \"labels\": {}}]", true, false, 1, 1, NULL},
	{"no targets at all", "[]", false, false, 0, 0, NULL},
	{"sockets where they are allowed", "[{\"targets\": [\"unix:/run/a\"]}]", false, true, 1, 1,
		NULL},
	{"and where not", "[{\"targets\": [\"unix:/run/a\"]}]", false, false, 0, 0, "allow_local"},
	{"a file half written", "[{\"targets\": [\"a:1\"", false, false, 0, 0, "1:"},
	{"nothing", "", false, false, 0, 0, "1:"},
	{"an empty YAML file is a mapping, not a list", "", true, false, 0, 0, "no list"},
	{"a mapping", "{}", false, false, 0, 0, "no list"},
	{"no targets in a group", "[{\"labels\": {}}]", false, false, 0, 0, "group 1"},
	{"a key too many", "[{\"targets\": [], \"lables\": {}}]", false, false, 0, 0, "group 1"},
	{"the same in YAML", "- targets: []\n  lables: {}\n", true, false, 0, 0, "1:3"},
	{"a number for an address", "[{\"targets\": [6060]}]", false, false, 0, 0, "target 1"},
	{"a URL for an address", "- targets: ['http://a:1']\n", true, false, 0, 0, "host:port"},
	{"a number for a label", "[{\"targets\": [], \"labels\": {\"a\": 1}}]", false, false, 0, 0,
		"no string"},
	{"a label of ours", "[{\"targets\": [], \"labels\": {\"class\": \"x\"}}]", false, false, 0,
		0, "leakwatch itself"},
	{"no label name", "- targets: []\n  labels: {a-b: x}\n", true, false, 0, 0, "label name"},
	{"a key twice", "[{\"targets\": [], \"targets\": []}]", false, false, 0, 0, "uplicate"},
	{"aliases", "- &a {targets: []}\n- *a\n", true, false, 0, 0, "1:"},
};

static void test_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena a = ARENA_INIT;
		struct err err = ERR_INIT;
		struct config_sd sd;
		int rc = (rows[i].yaml ? config_sd_yaml : config_sd_json)(
			str_of(rows[i].text), rows[i].local, &a, &sd, &err);

		if (rows[i].wrong ? rc == 0 || !strstr(err.msg, rows[i].wrong) : rc != 0)
			fail_msg("%s: %d, %s", rows[i].what, rc, err.msg);
		if (!rows[i].wrong) {
			assert_int_equal(sd.n, rows[i].groups);
			if (sd.n)
				assert_int_equal(sd.v[0].targets.n, rows[i].targets);
		}
		arena_release(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_lists)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
