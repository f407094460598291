/* config: what is refused, where, and in which words; and that nothing a file holds does harm. */
#include "config.h"
#include "config_internal.h"
#include "config_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define JOB "scrape_configs:\n- job_name: a\n  "

struct row {
	const char *what; /* the row stands for */
	const char *text;
	const char *want; /* the whole of the problems, "\n" between them */
};

static const struct row rows[] = {
	/* keys */
	{"unknown key, near one", "global: {scrape_intervall: 1m}",
		"f:1:10: unknown key \"scrape_intervall\" in global: did you mean "
		"\"scrape_interval\"?"},
	{"unknown key, near none", "zzz: 1", "f:1:1: unknown key \"zzz\" in the file"},
	{"a key of another section", "max_pause: 1ms",
		"f:1:1: unknown key \"max_pause\" in the file: it belongs in evidence"},
	{"a key twice", "limits:\n  targets: 1\n  targets: 2",
		"f:3:3: \"targets\" is given twice: first at line 2"},
	{"a section twice", "limits: {}\nlimits: {}",
		"f:2:1: \"limits\" is given twice: first at line 1"},
	{"a label twice", "global: {external_labels: {a: x, a: y}}",
		"f:1:34: \"a\" is given twice: first at line 1"},
	{"a key that is a list", "? [a]\n: b", "f:1:3: a key must be a text, not a list"},
	{"a required key", "scrape_configs: [{scheme: http}]", "f:1:18: job_name is missing"},
	{"an item that is nothing", "scrape_configs:\n- \nclasses: [{name: a, match: }]",
		"f:2:2: job_name is missing\n"
		"f:3:11: match is missing: only a rule with the name of a built-in one may leave "
		"it "
		"out"},
	{"a secret in the file is no key", JOB "basic_auth: {username: u, password: hunter2}",
		"f:3:15: password_file is missing\nf:3:29: unknown key \"password\" in basic_auth"},

	/* kinds of nodes */
	{"a text for a mapping", "global: 5", "f:1:9: global must be a mapping, not a text"},
	{"a mapping for a list", "scrape_configs: {a: b}",
		"f:1:17: scrape_configs: must be a list, not a mapping"},
	{"a list for a scalar", "limits: {targets: [1]}",
		"f:1:19: targets: must be a whole number, not a list"},
	{"a text for a list", JOB "static_configs: [{targets: \"h:1\"}]",
		"f:3:30: targets: must be a list, not a text"},
	{"the file is a list", "- a", "f:1:1: the file must be a mapping, not a list"},
	{"a scalar without a value", "limits:\n  targets:", "f:2:11: targets: has no value"},
	{"no value where \"\" is one", JOB "metrics_path:",
		"f:3:16: metrics_path: has no value: the empty text is written \"\""},

	/* scalars */
	{"a duration with a space", "global: {scrape_interval: 10 s}",
		"f:1:27: scrape_interval: \"10 s\" is no duration: write it as 500ms, 30s or "
		"1h30m"},
	{"a duration without a unit", "global: {scrape_interval: 10}",
		"f:1:27: scrape_interval: \"10\" is no duration: write it as 500ms, 30s or 1h30m"},
	{"units out of order", "global: {scrape_interval: 1m1h}",
		"f:1:27: scrape_interval: \"1m1h\" is no duration: write it as 500ms, 30s or "
		"1h30m"},
	{"a unit twice", "global: {scrape_interval: 1m1m}",
		"f:1:27: scrape_interval: \"1m1m\" is no duration: write it as 500ms, 30s or "
		"1h30m"},
	{"a fraction", "global: {scrape_interval: 1.5m}",
		"f:1:27: scrape_interval: \"1.5m\" is no duration: write it as 500ms, 30s or "
		"1h30m"},
	{"a negative duration", "global: {scrape_interval: -1m}",
		"f:1:27: scrape_interval: \"-1m\" is no duration: write it as 500ms, 30s or 1h30m"},
	{"a duration that overflows", "global: {scrape_interval: 99999999999999999999s}",
		"f:1:27: scrape_interval: \"99999999999999999999s\" is no duration: write it as "
		"500ms, "
		"30s or 1h30m"},
	{"a duration too short", "global: {scrape_interval: 99ms}",
		"f:1:27: scrape_interval: must be from 100ms to 1d"},
	{"a duration too long", "evidence: {max_pause: 11s}",
		"f:1:23: max_pause: must be at most 10s"},
	{"no unit of size", JOB "body_size_limit: 32XB",
		"f:3:20: body_size_limit: \"32XB\" is no size: the units are B, KB, MB, GB and TB"},
	{"no size", JOB "body_size_limit: big",
		"f:3:20: body_size_limit: \"big\" is no size: write it as 64KiB, 32MB or 2GB"},
	{"a size that overflows", JOB "body_size_limit: 9999999999TB",
		"f:3:20: body_size_limit: \"9999999999TB\" is too large"},
	{"a size out of range", JOB "body_size_limit: 2GB",
		"f:3:20: body_size_limit: must be from 1KiB to 1GiB"},
	{"an integer that is none", "limits: {targets: 1e3}",
		"f:1:19: targets: \"1e3\" is no whole number"},
	{"an integer out of range", "limits: {targets: 0}",
		"f:1:19: targets: must be from 1 to 100000"},
	{"a number that is none", "detect: {ref: many}", "f:1:15: ref: \"many\" is no number"},
	{"not a number", "detect: {ref: nan}", "f:1:15: ref: \"nan\" is no number"},
	{"a hexadecimal number", "detect: {ref: 0x10}", "f:1:15: ref: \"0x10\" is no number"},
	{"a negative number", "classes: [{name: a, match: {top: x}, expect: {max: -1}}]",
		"f:1:52: max: may not be negative"},
	{"a truth that YAML 1.1 knew", "classes: [{name: a, match: {top: x}, ignore: yes}]",
		"f:1:46: ignore: \"yes\" is neither true nor false"},
	{"a word of a list", "detect: {sensitivity: hihg}",
		"f:1:23: sensitivity: \"hihg\" is none of low, normal, high"},
	{"a share without %", JOB "scrape_budget: 0.01",
		"f:3:18: scrape_budget: \"0.01\" is no share: write it as 1% or 0.5%"},
	{"a path of a URL", JOB "metrics_path: metrics",
		"f:3:17: metrics_path: \"metrics\" is no path: it begins with /"},
	{"empty where it means nothing", JOB "pprof_path: \"\"",
		"f:3:15: pprof_path: may not be empty"},
	{"a label name", "global: {external_labels: {a-b: x}}",
		"f:1:28: external_labels: \"a-b\" is no label name: letters, digits and _ only"},
	{"a secret without a name", JOB "authorization: {credentials_file: \"env:\"}",
		"f:3:37: credentials_file: \"env:\" has no name behind the colon"},
	{"a credential outside its directory",
		JOB "authorization: {credentials_file: "
		    "\"credential:../x\"}",
		"f:3:37: credentials_file: \"credential:../x\" has no name behind the colon"},

	/* URLs */
	{"no scheme", "alerting: {receivers: [{name: a, webhook_configs: [{url: \"h/x\"}]}]}",
		"f:1:58: url: \"h/x\" does not begin with http:// or https://"},
	{"a password is not repeated",
		"alerting: {receivers: [{name: a, webhook_configs: [{url: \"http://u:pw@h/\"}]}]}",
		"f:1:58: url: a URL may not hold a name and password here: use basic_auth, or a "
		"*_file key for the whole URL"},
	{"no host", "alerting: {receivers: [{name: a, webhook_configs: [{url: \"http:///x\"}]}]}",
		"f:1:58: url: \"http:///x\" has no host"},
	{"neither url nor url_file", "alerting: {receivers: [{name: a, webhook_configs: [{}]}]}",
		"f:1:52: needs url or url_file, and not both"},

	/* rules */
	{"a rule without match", "classes: [{name: nobody}]",
		"f:1:11: match is missing: only a rule with the name of a built-in one may leave "
		"it "
		"out"},
	{"a match of nothing", "classes: [{name: a, match: {}}]",
		"f:1:28: needs at least one of mentions, entry, top, file, wait, label, not"},
	{"a regular expression that is none",
		"classes:\n- name: a\n  match:\n    top: [b, {re: \"a(b\"}]",
		"f:4:19: regular expression \"a(b\": missing closing parenthesis, at character 4"},
	{"a regular expression in not",
		"classes: [{name: a, match: {top: b, not: {entry: {re: \"[\"}}}}]",
		"f:1:55: regular expression \"[\": missing terminating ] for character class, at "
		"character 2"},
	{"an empty list", "classes: [{name: a, match: {top: []}}]",
		"f:1:34: top: an empty list matches nothing"},
	{"a pattern of another key", "classes: [{name: a, match: {top: {regex: x}}}]",
		"f:1:34: top: a regular expression is written {re: \"…\"}"},
	{"a wait that is mistyped", "classes: [{name: a, match: {wait: chan recieve}}]",
		"f:1:35: wait: \"chan recieve\" is no kind of wait: did you mean \"chan "
		"receive\"?"},
	{"max and max_metric",
		"classes: [{name: a, match: {top: x}, expect: {max: 1, max_metric: m}}]",
		"f:1:46: expect: needs max or max_metric, and not both"},
	{"neither", "classes: [{name: a, match: {top: x}, expect: {factor: 2}}]",
		"f:1:46: expect: factor and slack belong to max_metric\n"
		"f:1:46: expect: needs max or max_metric, and not both"},
	{"one name for two classes",
		"classes:\n- {name: a, match: {top: x}}\n- {name: a, match: {top: y}}",
		"f:3:10: \"a\" is there already: at line 2"},

	/* what values mean together */
	{"two jobs of one name", "scrape_configs:\n- job_name: a\n- job_name: a",
		"f:3:13: \"a\" is there already: at line 2"},
	{"two receivers of one name", "alerting:\n  receivers:\n  - name: a\n  - name: a",
		"f:4:11: \"a\" is there already: at line 3"},
	{"a timeout longer than the interval", JOB "scrape_interval: 5s\n  scrape_timeout: 6s",
		"f:4:19: scrape_timeout: must be at most scrape_interval"},
	{"an instance twice",
		JOB "static_configs:\n  - targets: [\"h:1\", \"h:2\"]\n  - targets: [\"h:1\"]",
		"f:5:15: the instance \"h:1\" is in this job already: at line 4"},
	{"a label that is ours", JOB "static_configs: [{targets: [], labels: {class: x}}]",
		"f:3:43: the label \"class\" is set by leakwatch itself"},
	{"a label that would hide the target", "global: {external_labels: {instance: x}}",
		"f:1:28: the label \"instance\" is set by leakwatch itself"},
	{"load without metrics", JOB "metrics_path: \"\"\n  load_metric: x",
		"f:4:16: load_metric: there are no metrics (metrics_path is \"\")"},
	{"two ways to say who we are",
		JOB "authorization: {credentials_file: t}\n  basic_auth: {username: u, "
		    "password_file: p}",
		"f:4:15: authorization or basic_auth, not both"},
	{"a certificate without its key", JOB "scheme: https\n  tls_config: {cert_file: c}",
		"f:4:15: cert_file and key_file are only useful together"},
	{"an alert that is mistyped", "alerting: {rules: {GoroutineLeek: {severity: page}}}",
		"f:1:20: there is no alert \"GoroutineLeek\": did you mean \"GoroutineLeak\"?"},
	{"buckets kept shorter than samples", "storage: {retention: {raw: 40d}}",
		"f:1:22: retention: raw may not be longer than 5m, nor 5m than 1h"},
	{"more targets than allowed",
		JOB "static_configs: [{targets: [\"h:1\", \"h:2\"]}]\n"
		    "limits: {targets: 1}",
		"f:2:1: 2 targets: limits.targets is 1"},
	{"all errors at once", "global: {scrape_interval: x}\nweb: 5\nlimits: {targets: x}",
		"f:1:27: scrape_interval: \"x\" is no duration: write it as 500ms, 30s or 1h30m\n"
		"f:2:6: web must be a mapping, not a text\n"
		"f:3:19: targets: \"x\" is no whole number"},

	/* YAML */
	{"an anchor and its alias", "detect: {ref: &a 5}\nlimits: {targets: *a}",
		"f:1:15: anchors (&a) are not allowed: write the value where it is needed\n"
		"f:2:19: aliases (*a) are not allowed: write the value where it is needed\n"
		"f:2:19: targets: \"\" is no whole number"},
	{"a tag", "limits: {targets: !!int 5}",
		"f:1:19: tags (tag:yaml.org,2002:int) are not allowed: each key knows its type"},
	{"two documents", "limits: {}\n---\nlimits: {}",
		"f:2:1: a second document (---): one file is one configuration"},
	{"a tab", "limits:\n\ttargets: 1",
		"f:2:1: a tab in the indentation: YAML wants spaces there"},
	{"a bracket left open", "limits: {targets: 1\n",
		"f:2:1: not YAML: did not find expected ',' or '}' (while parsing a flow mapping "
		"that "
		"began at line 1)"},
	{"a byte that is not UTF-8", "global:\n  external_labels: {a: \"\xff\"}",
		"f:2:25: not UTF-8: invalid leading UTF-8 octet"},
	{"a control character", "global:\n  external_labels: {a: \"\x1b[2J\"}",
		"f:2:25: the control character 0x1b is not allowed: write it \"\\x1b\" in quotes"},
	{"an escaped NUL", "global: {external_labels: {a: \"x\\0y\"}}",
		"f:1:31: a NUL byte (\\0) is not allowed"},
	{"what is received is data", "global: {\"%s%n\\e[31m\": x}",
		"f:1:10: unknown key \"%s%n\\x1b[31m\" in global"},
};

static char *problems(struct str text, struct config **out, size_t *errors)
{
	struct config_errors errs;
	struct buf b = BUF_INIT;

	config_errors_init(&errs);
	*out = config_parse(text, "f", &errs);
	config_errors_text(&errs, "f", &b);
	*errors = errs.errors;
	config_errors_release(&errs);
	if (b.len)
		b.p[--b.len] = 0; /* the last newline */
	return buf_take(&b);
}

static void test_table(void **state)
{
	size_t failed = 0, errors;
	struct config *c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *got = problems(str_of(rows[i].text), &c, &errors);

		if (strcmp(got, rows[i].want) != 0 || c || errors == 0) {
			print_error("%s:\n--- want\n%s\n--- got\n%s\n", rows[i].what, rows[i].want,
				got);
			failed++;
		}
		config_free(c);
		free(got);
	}
	assert_int_equal(failed, 0);
}

/* Warnings alone do not refuse a file. */
static void test_warnings(void **state)
{
	static const struct row warnings[] = {
		{"a clock that runs fast", "detect: {window: 1s}",
			"f:1:10: warning: window: the detector's clock runs 120 times as fast: for "
			"tests and demonstrations only"},
		{"the real clock, said", "detect: {window: 2m}", ""},
		{"TLS without https", JOB "tls_config: {server_name: x}",
			"f:3:15: warning: tls_config: has no effect with scheme: http"},
		{"sections with all keys commented out", "global:\nclasses:\nstorage:\n", ""},
		{"a byte order mark",
			"\xef\xbb\xbf"
			"limits: {targets: 5}",
			""},
		{"CRLF", "limits:\r\n  targets: 5\r\n", ""},
		{"only a comment", "# nothing\n", ""},
	};
	struct config *c;
	size_t errors;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(warnings); i++) {
		char *got = problems(str_of(warnings[i].text), &c, &errors);

		assert_string_equal(got, warnings[i].want);
		assert_non_null(c);
		config_free(c);
		free(got);
	}
}

static void test_targets(void **state)
{
	static const struct {
		const char *text, *want; /* "" = right */
	} targets[] = {
		{"127.0.0.1:6060", ""},
		{"host-1.example_x.org:1", ""},
		{"[::1]:6060", ""},
		{"[fe80::1:2]:65535", ""},
		{"unix:/run/x.sock", ""},
		{"http://h:1/debug/pprof", "\"http://h:1/debug/pprof\" is a URL: write host:port "
					   "here, \"http\" as the "
					   "job's scheme and the path as its pprof_path"},
		{"h:1/debug",
			"\"h:1/debug\" has a path: write host:port here, the path as the job's "
			"pprof_path"},
		{"h", "\"h\" has no port: write it as host:port"},
		{"", "\"\" has no port: write it as host:port"},
		{":1", "\":1\" has no host before the colon"},
		{"a b:1", "\"a b:1\" has no host before the colon"},
		{"h:0", "\"h:0\" has no port from 1 to 65535 behind the colon"},
		{"h:65536", "\"h:65536\" has no port from 1 to 65535 behind the colon"},
		{"h:x", "\"h:x\" has no port from 1 to 65535 behind the colon"},
		{"h:", "\"h:\" has no port from 1 to 65535 behind the colon"},
		{"::1:6060", "\"::1:6060\" has two colons: an IPv6 address is written [::1]:6060"},
		{"[::1]", "\"[::1]\" is no address: write it as [::1]:6060"},
		{"[]:1", "\"[]:1\" is no address: write it as [::1]:6060"},
		{"[g::]:1", "\"[g::]:1\" is no address: write it as [::1]:6060"},
		{"unix:run/x", "\"unix:run/x\" has no absolute path: write it as "
			       "unix:/run/app/pprof.sock"},
		{"unix:/", "\"unix:/\" has no absolute path: write it as unix:/run/app/pprof.sock"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		struct err err = ERR_INIT;
		char *exact = strdup(targets[i].text); /* so that ASan sees a byte too far */
		struct str s = str_n(exact, strlen(exact));

		assert_int_equal(config_check_target(s, &err), targets[i].want[0] ? -1 : 0);
		assert_string_equal(err.msg, targets[i].want);
		free(exact);
	}
}

static void test_durations_and_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t value;
		const char *again; /* shortest form */
	} durations[] = {{"0", 0, "0s"}, {"0s", 0, "0s"}, {"500ms", 500, "500ms"},
		{"1h30m", 5400000, "1h30m"}, {"90m", 5400000, "1h30m"}, {"1y", 31536000000, "365d"},
		{"1w2d3h4m5s6ms", 788645006, "9d3h4m5s6ms"}},
	  sizes[] = {{"0", 0, "0B"}, {"5", 5, "5B"}, {"1KB", 1024, "1KiB"}, {"1KiB", 1024, "1KiB"},
		  {"32MB", 32 << 20, "32MiB"}, {"2GB", 2ULL << 30, "2GiB"},
		  {"1024GiB", 1ULL << 40, "1TiB"}, {"1500B", 1500, "1500B"}};
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
		struct buf b = BUF_INIT;

		assert_int_equal(config_duration(str_of(durations[i].text), &v, NULL), 0);
		assert_int_equal(v, durations[i].value);
		config_duration_text(v, &b);
		assert_string_equal(b.p, durations[i].again);
		buf_release(&b);
	}
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct buf b = BUF_INIT;

		assert_int_equal(config_size(str_of(sizes[i].text), &v, NULL), 0);
		assert_int_equal(v, sizes[i].value);
		config_size_text(v, &b);
		assert_string_equal(b.p, sizes[i].again);
		buf_release(&b);
	}
}

static char *repeat(const char *piece, size_t n, size_t *len)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < n; i++)
		buf_adds(&b, piece);
	*len = b.len;
	return buf_take(&b);
}

/* Texts that make a YAML parser slow or big end at once, with a reason. */
static void test_bombs(void **state)
{
	static const struct {
		const char *piece;
		size_t n;
		const char *want;
	} bombs[] = {
		{"[", 1000000, "nested too deep: the limit is 24 levels"},
		{"{", 1000000, "a key must be a text, not a mapping"},
		{"- ", 1000000, "nested too deep: the limit is 24 levels"},
		{"? ", 1000000, "a key must be a text, not a mapping"},
		{"- a\n", 250000, "too many values in one file: the limit is 200000"},
		{"classes: [*a]\n", 20000, "aliases (*a) are not allowed"},
		{"\"", 1000000, "not YAML:"},
		{"a", 5000000, "a configuration has at most 4194304"},
		{"a", 4000000, "the file must be a mapping, not a text"},
		{"\t", 1000000, "a tab in the indentation"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bombs); i++) {
		size_t len, errors;
		char *text = repeat(bombs[i].piece, bombs[i].n, &len), *got;
		struct config *c;
		clock_t start = clock();

		got = problems(str_n(text, len), &c, &errors);
		if (!strstr(got, bombs[i].want))
			print_error("%s x %zu: %s\n", bombs[i].piece, bombs[i].n, got);
		assert_non_null(strstr(got, bombs[i].want));
		assert_null(c);
		assert_true(strlen(got) < 30000);
		/* Far from the 9 s that building a tree of 100,000 brackets takes. */
		assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 2);
		free(text);
		free(got);
	}
}

/* The 101st problem is counted, not kept. */
static void test_cap(void **state)
{
	size_t len, errors;
	char *list = repeat("- {zzz: 1}\n", 150, &len), *got;
	struct buf text = BUF_INIT;
	struct config *c;

	(void)state;
	buf_addf(&text, "classes:\n%s", list);
	got = problems(buf_str(&text), &c, &errors);
	assert_null(c);
	assert_int_equal(errors, 300); /* unknown key, and no name, in each */
	assert_non_null(strstr(got, "f: and 200 more"));
	assert_non_null(strstr(got, "f:2:3: name is missing"));
	free(list);
	free(got);
	buf_release(&text);
}

/* Mutations of the sample with all its keys: no crash, and no config together with errors. */
static void test_mutations(void **state)
{
	const char *seed_text = getenv("LEAKWATCH_SEED");
	unsigned seed = seed_text ? (unsigned)atoi(seed_text) : (unsigned)time(NULL);
	static const char bytes[] = "\n :-[]{}\"'#&*!|>%\\\t\0\xff?,a1";
	struct buf sample = BUF_INIT;
	size_t accepted = 0;

	(void)state;
	print_message("seed %u (LEAKWATCH_SEED repeats it)\n", seed);
	srandom(seed);
	config_sample(&sample);
	for (int round = 0; round < 300; round++) {
		char *text = malloc(sample.len), *got;
		struct config *c;
		size_t errors;

		memcpy(text, sample.p, sample.len);
		for (long n = random() % 4; n >= 0; n--)
			text[random() % (long)sample.len] = bytes[random() % (long)sizeof(bytes)];
		got = problems(str_n(text, sample.len), &c, &errors);
		assert_true(!c == (errors > 0));
		accepted += c != NULL;
		config_free(c);
		free(got);
		free(text);
	}
	print_message("%zu of 300 accepted\n", accepted);
	assert_in_range(accepted, 1, 299);
	buf_release(&sample);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_durations_and_sizes),
		cmocka_unit_test(test_bombs),
		cmocka_unit_test(test_cap),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
