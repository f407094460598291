/* config: what files give, defaults, inheritance, rules, paths, secrets, and the way back. */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define TARGETS "static_configs: [{targets: [\"127.0.0.1:6060\"]}]"

/* A text that must be right; its warnings are dropped. */
static struct config *good(const char *text)
{
	struct config_errors errs;
	struct config *c;
	struct buf out = BUF_INIT;

	config_errors_init(&errs);
	c = config_parse(str_of(text), "/etc/test/t.yaml", &errs);
	config_errors_text(&errs, "t.yaml", &out);
	if (!c)
		print_error("%s", out.p);
	assert_non_null(c);
	buf_release(&out);
	config_errors_release(&errs);
	return c;
}

static char *printed(const struct config *c)
{
	struct buf out = BUF_INIT;

	config_print(c, &out);
	return buf_take(&out);
}

static void assert_text(struct str s, const char *want)
{
	assert_string_equal(s.p, want);
	assert_int_equal(s.len, strlen(want));
}

static void test_defaults(void **state)
{
	struct config *c = config_default();

	(void)state;
	assert_non_null(c);
	assert_int_equal(c->njobs, 0);
	assert_int_equal(c->scrape_interval_ms, 60000);
	assert_int_equal(c->scrape_timeout_ms, 10000);
	assert_true(c->detect.window_s == 120);
	assert_true(c->detect.ref == 50);
	assert_true(c->detect.ref_bytes == 32 * 1048576.0);
	assert_int_equal(c->detect.sensitivity, DETECT_NORMAL);
	assert_int_equal(c->max_pause_ms, 25);
	assert_int_equal(c->targets_max, 10000);
	assert_int_equal(c->classes_max, 300);
	assert_text(c->storage_path, "/var/lib/leakwatch/leakwatch.db");
	assert_int_equal(c->retention_raw_ms, 48 * 3600000);
	assert_int_equal(c->retention_5m_ms, 30 * 86400000ULL);
	assert_int_equal(c->retention_1h_ms, 400 * 86400000ULL);
	assert_int_equal(c->max_size_bytes, 2ULL << 30);
	assert_int_equal(c->min_free_bytes, 256ULL << 20);
	assert_int_equal(c->group_by.n, 2);
	assert_text(c->group_by.v[0], "job");
	assert_int_equal(c->group_wait_ms, 30000);
	assert_int_equal(c->group_interval_ms, 300000);
	assert_int_equal(c->repeat_interval_ms, 4 * 3600000);
	assert_int_equal(c->give_up_after_ms, 86400000);
	assert_text(c->listen_address, "127.0.0.1:9765");
	assert_int_equal(c->nreceivers, 0);
	config_free(c);
}

static void test_smallest(void **state)
{
	struct config *c = good("scrape_configs:\n"
				"  - job_name: checkout\n"
				"    " TARGETS "\n");
	const struct config_job *j = &c->jobs[0];

	(void)state;
	assert_int_equal(c->njobs, 1);
	assert_text(j->name, "checkout");
	assert_int_equal(j->scrape_interval_ms, 60000);
	assert_int_equal(j->scrape_timeout_ms, 10000);
	assert_int_equal(j->scheme, CONFIG_HTTP);
	assert_text(j->metrics_path, "/metrics");
	assert_text(j->pprof_path, "/debug/pprof");
	assert_text(j->metrics_address, "");
	assert_int_equal(j->body_size_limit_bytes, 32 << 20);
	assert_true(fabs(j->scrape_budget - 0.01) < 1e-12);
	assert_text(j->authorization.credentials_file, "");
	assert_text(j->basic_auth.username, "");
	assert_false(j->tls.insecure_skip_verify);
	assert_int_equal(j->nstatics, 1);
	assert_text(j->statics[0].targets.v[0], "127.0.0.1:6060");
	config_free(c);
}

/* What a job does not say, global says; a timeout is never longer than the interval. */
static void test_inheritance(void **state)
{
	static const struct {
		const char *global, *job;
		uint64_t interval_ms, timeout_ms;
	} rows[] = {
		{"", "", 60000, 10000},
		{"scrape_interval: 30s", "", 30000, 10000},
		{"scrape_interval: 5s", "", 5000, 5000}, /* the default timeout gives way */
		{"scrape_interval: 30s, scrape_timeout: 20s", "", 30000, 20000},
		{"scrape_interval: 30s", "scrape_interval: 2s", 2000, 2000},
		{"scrape_interval: 30s", "scrape_interval: 1h30m", 5400000, 10000},
		{"", "scrape_timeout: 50s", 60000, 50000},
		{"", "scrape_interval: 100ms, scrape_timeout: 50ms", 100, 50},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[300];
		struct config *c;

		snprintf(text, sizeof(text),
			"scrape_configs: [{job_name: a, %s%s" TARGETS "}]\nglobal: {%s}\n",
			rows[i].job, rows[i].job[0] ? ", " : "", rows[i].global);
		c = good(text);
		assert_int_equal(c->jobs[0].scrape_interval_ms, rows[i].interval_ms);
		assert_int_equal(c->jobs[0].scrape_timeout_ms, rows[i].timeout_ms);
		config_free(c);
	}
}

/* Scalars: the same text in any style of quoting is the same value. */
static void test_scalars(void **state)
{
	struct config *c =
		good("global: {scrape_interval: \"1m\", scrape_timeout: '7s'}\n"
		     "detect: {ref: 2.5e1, ref_bytes: 1GB, window: 1s, sensitivity: high}\n"
		     "limits: {targets: \"20\"}\n"
		     "storage: {path: x/y.db, max_size: 0, retention: {raw: 1w}}\n"
		     "scrape_configs:\n"
		     "- job_name: true\n"
		     "  metrics_path: \"\"\n"
		     "  pprof_path: /internal/pprof//\n"
		     "  scrape_budget: 0.5%\n"
		     "  pid: 42\n"
		     "  scheme: https\n"
		     "  tls_config: {ca_file: ca.pem, insecure_skip_verify: true}\n"
		     "  basic_auth: {username: me, password_file: credential:pw}\n"
		     "web: {listen_address: \"\"}\n");
	const struct config_job *j = &c->jobs[0];

	(void)state;
	assert_int_equal(c->scrape_timeout_ms, 7000);
	assert_true(c->detect.ref == 25);
	assert_true(c->detect.ref_bytes == 1073741824.0);
	assert_true(c->detect.window_s == 1);
	assert_int_equal(c->detect.sensitivity, DETECT_HIGH);
	assert_int_equal(c->targets_max, 20);
	assert_text(c->storage_path, "/etc/test/x/y.db"); /* starts at the file's directory */
	assert_int_equal(c->max_size_bytes, 0);
	assert_int_equal(c->retention_raw_ms, 7 * 86400000);
	assert_int_equal(c->retention_5m_ms, 30 * 86400000ULL);
	assert_text(j->name, "true"); /* a text because the key is one */
	assert_text(j->metrics_path, "");
	assert_text(j->pprof_path, "/internal/pprof");
	assert_true(fabs(j->scrape_budget - 0.005) < 1e-12);
	assert_int_equal(j->pid, 42);
	assert_int_equal(j->scheme, CONFIG_HTTPS);
	assert_text(j->tls.ca_file, "/etc/test/ca.pem");
	assert_true(j->tls.insecure_skip_verify);
	assert_text(j->basic_auth.password_file, "credential:pw");
	assert_text(c->listen_address, "");
	config_free(c);
}

static void test_classes(void **state)
{
	struct config *c =
		good("classes:\n"
		     "- name: first\n"
		     "  match:\n"
		     "    mentions: [a.b, {re: '^x+$'}]\n"
		     "    entry: main.run\n"
		     "    wait: [chan receive, IO wait]\n"
		     "    label: {handler: /x, zone: [a, b]}\n"
		     "    not: {file: f.go}\n"
		     "  hint: why\n"
		     "  expect: {max_metric: 'agents{zone=\"a\"}', slack: 50}\n"
		     "  limit: 10000\n"
		     "- {name: second, match: {wait: select}, ignore: true, expect: {max: 5}}\n");
	const struct rule *r = &c->rules[0];

	(void)state;
	assert_int_equal(c->nown_rules, 2);
	assert_text(r->name, "first");
	assert_false(r->builtin);
	assert_int_equal(r->match.mentions.n, 2);
	assert_false(r->match.mentions.v[0].regex);
	assert_true(r->match.mentions.v[1].regex);
	assert_text(r->match.mentions.v[1].text, "^x+$");
	assert_int_equal(r->match.mentions.v[1].line, 4);
	assert_int_equal(r->match.mentions.v[1].column, 26);
	assert_int_equal(r->match.entry.n, 1);
	assert_int_equal(r->match.waits, 1 << WAIT_CHAN_RECEIVE | 1 << WAIT_IO);
	assert_int_equal(r->match.nlabels, 2);
	assert_text(r->match.labels[1].key, "zone");
	assert_text(r->match.labels[1].values.v[1].text, "b");
	assert_non_null(r->match.not_match);
	assert_text(r->match.not_match->file.v[0].text, "f.go");
	assert_true(isnan(r->expect_max));
	assert_text(r->expect_metric, "agents{zone=\"a\"}");
	assert_true(r->expect_factor == 1 && r->expect_slack == 50);
	assert_true(r->limit == 10000);
	r = &c->rules[1];
	assert_true(r->ignore);
	assert_true(r->expect_max == 5);
	assert_true(isnan(r->limit));
	assert_int_equal(r->match.waits, 1 << WAIT_SELECT);
	config_free(c);
}

static ptrdiff_t find_rule(const struct config *c, struct str name)
{
	for (size_t i = 0; i < c->nrules; i++) {
		if (str_eq(c->rules[i].name, name))
			return (ptrdiff_t)i;
	}
	return -1;
}

/* The built-in rules come behind; one of their names replaces it, or adjusts it where it stands. */
static void test_builtin_rules(void **state)
{
	struct config *base = config_default(), *c;
	struct str name;
	size_t n = base->nrules, last = n - 1;
	char text[400];

	(void)state;
	assert_true(n > 1);
	assert_true(base->rules[0].builtin);
	name = base->rules[last].name;

	snprintf(text, sizeof(text),
		"classes: [{name: mine, match: {top: a}}, "
		"{name: \"%.*s\", match: {top: b}}]",
		STR_ARG(name));
	c = good(text);
	assert_int_equal(c->nrules, n + 1);
	assert_text(c->rules[0].name, "mine");
	assert_int_equal(find_rule(c, name), 1);
	assert_false(c->rules[1].builtin);
	assert_true(str_eq(c->rules[2].name, base->rules[0].name));
	config_free(c);

	snprintf(text, sizeof(text),
		"classes: [{name: mine, match: {top: a}}, {name: \"%.*s\", expect: {max: 7}}]",
		STR_ARG(name));
	c = good(text);
	assert_int_equal(c->nrules, n + 1);
	assert_int_equal(find_rule(c, name), n);
	assert_true(c->rules[n].expect_max == 7);
	assert_true(str_eq(c->rules[n].hint, base->rules[last].hint));
	assert_int_equal(c->rules[n].match.mentions.n, base->rules[last].match.mentions.n);
	assert_int_equal(c->rules[n].ignore, base->rules[last].ignore);
	config_free(c);
	config_free(base);
}

/* Every built-in rule compiles, and the way of --print keeps them. */
static void test_builtin_rules_are_right(void **state)
{
	struct config_errors errs;
	struct arena a = ARENA_INIT;
	struct rule *rules = NULL;
	struct err err = ERR_INIT;
	struct classifier *cl;
	size_t n = 0;

	(void)state;
	config_errors_init(&errs);
	assert_int_equal(
		config_parse_rules(str_of(builtin_rules_yaml), true, &a, &rules, &n, &errs), 0);
	assert_int_equal(errs.warnings, 0);
	cl = classifier_new(rules, n, &err);
	assert_string_equal(err.msg, "");
	assert_non_null(cl);
	for (size_t i = 0; i < n; i++) {
		assert_true(rules[i].builtin);
		assert_true(rules[i].name.len > 0);
		for (size_t k = 0; k < i; k++)
			assert_false(str_eq(rules[i].name, rules[k].name));
	}
	classifier_free(cl);
	arena_release(&a);
	config_errors_release(&errs);
}

static void test_alerting(void **state)
{
	struct config *c =
		good("alerting:\n"
		     "  rules:\n"
		     "    GoroutineLeak: {severity: page, for: 1m, labels: {team: a}, runbook_url: "
		     "\"https://w/x\"}\n"
		     "    MemoryLeak: {keep_firing_for: 0s}\n"
		     "  receivers:\n"
		     "  - {name: shop, match: {severity: [page, ticket], job: shop},\n"
		     "     webhook_configs: [{url: \"http://h/1\"}, {url_file: env:U, "
		     "send_resolved: false,"
		     " timeout: 3s}]}\n"
		     "  - {name: mem, match: {alertname: MemoryLeak}}\n");
	struct label shop[] = {{STR("job"), STR("shop")}, {STR("severity"), STR("ticket")}};
	struct label other[] = {{STR("job"), STR("shop")}, {STR("severity"), STR("info")}};
	struct label mem[] = {{STR("alertname"), STR("MemoryLeak")}};
	struct alert_rule rule;
	struct str runbook;

	(void)state;
	assert_text(config_receiver_of(c, shop, 2)->name, "shop");
	assert_null(config_receiver_of(c, other, 2)); /* one of two keys differs */
	assert_null(config_receiver_of(c, shop, 1)); /* a label that is not there */
	assert_text(config_receiver_of(c, mem, 1)->name, "mem");
	assert_true(c->receivers[0].webhooks[0].send_resolved);
	assert_int_equal(c->receivers[0].webhooks[0].timeout_ms, 10000);
	assert_false(c->receivers[0].webhooks[1].send_resolved);
	assert_text(c->receivers[0].webhooks[1].url_file, "env:U");
	assert_text(c->receivers[0].webhooks[1].url, "");

	config_alert_rule(c, ALERT_GOROUTINE_LEAK, &rule, &runbook);
	assert_int_equal(rule.for_ms, 60000);
	assert_int_equal(
		rule.keep_firing_ms, alert_rule_defaults[ALERT_GOROUTINE_LEAK].keep_firing_ms);
	assert_string_equal(rule.severity, "page");
	assert_int_equal(rule.nlabels, 1);
	assert_text(runbook, "https://w/x");
	config_alert_rule(c, ALERT_MEMORY_LEAK, &rule, &runbook);
	assert_int_equal(rule.keep_firing_ms, 0); /* 0 is not "not given" */
	assert_int_equal(rule.for_ms, alert_rule_defaults[ALERT_MEMORY_LEAK].for_ms);
	assert_string_equal(rule.severity, alert_rule_defaults[ALERT_MEMORY_LEAK].severity);
	assert_text(runbook, "");
	config_free(c);
}

/* A receiver without match takes what those before it left. */
static void test_receiver_order(void **state)
{
	struct config *c =
		good("alerting: {receivers: [{name: a, match: {job: x}}, {name: rest}]}");
	struct label x[] = {{STR("job"), STR("x")}}, y[] = {{STR("job"), STR("y")}};

	(void)state;
	assert_text(config_receiver_of(c, x, 1)->name, "a");
	assert_text(config_receiver_of(c, y, 1)->name, "rest");
	assert_text(config_receiver_of(c, NULL, 0)->name, "rest");
	config_free(c);
}

static void write_file(const char *path, const char *bytes, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void test_secrets(void **state)
{
	char dir[] = "/tmp/leakwatch-config-XXXXXX", path[100], cred[100], *big;
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/token", dir);
	snprintf(cred, sizeof(cred), "credential:%s", "token");

	write_file(path, "s3cret\r\n\n", 9);
	assert_int_equal(config_secret(str_of(path), &out, &err), 0);
	assert_string_equal(out.p, "s3cret");
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	assert_int_equal(config_secret(str_of(cred), &out, &err), 0);
	assert_string_equal(out.p, "s3cret");
	unsetenv("CREDENTIALS_DIRECTORY");
	assert_int_equal(config_secret(str_of(cred), &out, &err), -1);
	assert_non_null(strstr(err.msg, "$CREDENTIALS_DIRECTORY is not set"));
	setenv("LEAKWATCH_TEST_SECRET", "from-env", 1);
	assert_int_equal(config_secret(STR("env:LEAKWATCH_TEST_SECRET"), &out, &err), 0);
	assert_string_equal(out.p, "from-env");
	unsetenv("LEAKWATCH_TEST_SECRET");
	assert_int_equal(config_secret(STR("env:LEAKWATCH_TEST_SECRET"), &out, &err), -1);

	write_file(path, "\n", 1);
	assert_int_equal(config_secret(str_of(path), &out, &err), -1);
	assert_non_null(strstr(err.msg, "is empty"));
	big = calloc(1, CONFIG_SECRET_BYTES + 1);
	memset(big, 'x', CONFIG_SECRET_BYTES + 1);
	write_file(path, big, CONFIG_SECRET_BYTES + 1);
	assert_int_equal(config_secret(str_of(path), &out, &err), -1);
	assert_null(strstr(err.msg, "xxx"));
	free(big);
	unlink(path);
	assert_int_equal(config_secret(str_of(path), &out, &err), -1);
	assert_non_null(strstr(err.msg, "No such file"));
	rmdir(dir);
	buf_release(&out);
}

static void test_load(void **state)
{
	char dir[] = "/tmp/leakwatch-config-XXXXXX", path[100];
	struct config_errors errs;
	struct config *c;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a.yaml", dir);
	config_errors_init(&errs);
	assert_null(config_load(path, &errs)); /* not there */
	assert_true(errs.unreadable);
	config_errors_release(&errs);
	assert_null(config_load(dir, &errs)); /* a directory */
	assert_true(errs.unreadable);
	config_errors_release(&errs);

	write_file(path, "storage: {path: a.db}\n", 22);
	c = config_load(path, &errs);
	assert_non_null(c);
	assert_false(errs.unreadable);
	assert_true(str_ends(c->storage_path, STR("/a.db")));
	assert_true(str_starts(c->storage_path, str_of(dir)));
	config_free(c);
	config_errors_release(&errs);
	unlink(path);
	rmdir(dir);
}

/* Files that are not there are told; credentials and variables cannot be known beforehand. */
static void test_files(void **state)
{
	struct config *c = good("scrape_configs:\n"
				"- job_name: a\n"
				"  scheme: https\n"
				"  authorization: {credentials_file: /nonexistent/token}\n"
				"  tls_config: {ca_file: /dev/null}\n"
				"alerting: {receivers: [{name: r, webhook_configs: ["
				"{url_file: env:X, secret_file: credential:y, tls_config: "
				"{ca_file: /nonexistent/ca}}]}]}\n");
	struct config_errors errs;
	struct buf out = BUF_INIT;

	(void)state;
	config_errors_init(&errs);
	config_check_files(c, &errs);
	config_errors_text(&errs, "f", &out);
	assert_string_equal(out.p,
		"f: warning: authorization.credentials_file: cannot read /nonexistent/token: No "
		"such "
		"file or directory\n"
		"f: warning: tls_config.ca_file: cannot read /nonexistent/ca: No such file or "
		"directory\n");
	assert_int_equal(errs.errors, 0);
	buf_release(&out);
	config_errors_release(&errs);
	config_free(c);
}

/* --print reads back as the same, also with what YAML and terminals trip over. */
static void test_print_round_trip(void **state)
{
	static const char *const rows[] = {
		"",
		"scrape_configs: [{job_name: a, " TARGETS "}]",
		/* quotes, backslash, newline, escape, NEL, line separator, direction mark, umlaut
		 */
		"scrape_configs: [{job_name: \"q\\\"\\\\ \\n\\e[31m\\x85\\u2028\\u202e "
		"\xc3\xbc\"}]",
		"scrape_configs: [{job_name: 'no: [yaml] # here', metrics_path: \"\", "
		"scrape_budget: 0.07%, body_size_limit: 1025B}]",
		"detect: {ref: 0.1e2, ref_bytes: 1025KiB, window: 100ms}",
		"classes: [{name: a, match: {not: {label: {\"k v\": [{re: x}, y]}}}, "
		"expect: {max: 0.1}}]",
		"alerting: {group_by: [], rules: {MemoryLeak: {}}, receivers: [{name: x}]}",
		"storage: {max_size: 0, retention: {raw: 1d1h1m1s1ms}}",
		"global: {external_labels: {host: \"\", a_b: \"%s%n\"}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config *c = good(rows[i]), *again;
		char *first = printed(c), *second;

		again = good(first);
		second = printed(again);
		assert_string_equal(first, second);
		assert_null(strchr(first, 0x1b));
		assert_null(strstr(first, "\xe2\x80\xae"));
		if (c->njobs)
			assert_true(str_eq(c->jobs[0].name, again->jobs[0].name));
		free(first);
		free(second);
		config_free(c);
		config_free(again);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_smallest),
		cmocka_unit_test(test_inheritance),
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_builtin_rules),
		cmocka_unit_test(test_builtin_rules_are_right),
		cmocka_unit_test(test_alerting),
		cmocka_unit_test(test_receiver_order),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_print_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
