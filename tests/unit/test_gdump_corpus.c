/*
 * Real dumps, counted by somebody else: every debug=1 and debug=2 file of the corpus beside this
 * tree, against its truth.json.  LEAKWATCH_CORPUS names another folder; without one it is skipped,
 * as are the samples beside it.
 */
#include "../gdump_render.h"
#include "err.h"
#include "json.h"
#include "mend.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char *corpus(void)
{
	const char *dir = getenv("LEAKWATCH_CORPUS");

	return dir ? dir : "../shared/corpus";
}

static bool read_file(const char *path, struct buf *b)
{
	FILE *f = fopen(path, "rb");
	char piece[65536];
	size_t n;

	buf_reset(b);
	if (!f)
		return false;
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(b, piece, n);
	fclose(f);
	return true;
}

/* What a body holds, in the words of truth.json. */
struct count {
	json_t *by_state, *by_top, *by_entry, *by_creator; /* name -> how many */
	uint64_t frames, labelled, leaked, locked, unavailable, elided, parents, max_minutes;
};

static void add_name(json_t *names, struct str name, uint64_t count)
{
	char *key = str_dup(name);
	json_int_t n = json_integer_value(json_object_get(names, key));

	json_object_set_new(names, key, json_integer(n + (json_int_t)count));
	free(key);
}

static void count_group(void *arg, const struct group *g)
{
	struct count *c = arg;
	struct str none = STR("(none)");
	size_t n = g->nframes;

	while (n && str_is(g->frames[n - 1].func, "runtime.goexit"))
		n--;
	add_name(c->by_state, g->state, g->count);
	add_name(c->by_top, g->nframes ? g->frames[0].func : none, g->count);
	add_name(c->by_entry, n ? g->frames[n - 1].func : none, g->count);
	add_name(c->by_creator, g->created_by.len ? g->created_by : none, g->count);
	c->frames += g->nframes;
	c->labelled += g->nlabels > 0;
	c->leaked += !!(g->flags & GROUP_LEAKED);
	c->locked += !!(g->flags & GROUP_LOCKED);
	c->unavailable += !!(g->flags & GROUP_NO_STACK);
	c->elided += !!(g->flags & GROUP_ELIDED);
	c->parents += g->creator_id != 0;
	c->max_minutes = MAX(c->max_minutes, (uint64_t)g->minutes);
}

static uint64_t number(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

static unsigned complaints;

static void expect(const char *file, const char *what, uint64_t got, uint64_t want)
{
	if (got == want)
		return;
	complaints++;
	fprintf(stderr, "%s: %s: got %" PRIu64 ", should be %" PRIu64 "\n", file, what, got, want);
}

/* `list` is [[name, count], …], the most frequent names only. */
static void expect_names(
	const char *file, const char *what, const json_t *names, const json_t *list)
{
	const json_t *pair;
	size_t i;

	json_array_foreach(list, i, pair)
	{
		const char *name = json_string_value(json_array_get(pair, 0));
		uint64_t got = (uint64_t)json_integer_value(json_object_get(names, name));
		uint64_t want = (uint64_t)json_integer_value(json_array_get(pair, 1));

		if (got == want)
			continue;
		complaints++;
		fprintf(stderr, "%s: %s %s: got %" PRIu64 ", should be %" PRIu64 "\n", file, what,
			name, got, want);
	}
}

/*
 * Files that this parser reads otherwise than the oracle, on purpose: frame lines whose indentation
 * was lost are read here and not there.
 */
static bool reads_more_frames(const char *file)
{
	return strstr(file, "excerpt-upup-flattened") || strstr(file, "syzkaller-all-6");
}

static void compare_debug2(
	const char *file, const json_t *want, const struct count *c, const struct gdump_stats *s)
{
	uint64_t all = s->parsed + s->duplicates;

	expect(file, "goroutines", all, number(want, "goroutines"));
	expect(file, "ids", s->parsed, number(want, "distinct_ids"));
	if (s->duplicates)
		return; /* the oracle counts what is printed twice twice */
	expect(file, "max_minutes", c->max_minutes, number(want, "max_minutes"));
	expect(file, "leaked", c->leaked, number(want, "leaked"));
	expect(file, "locked", c->locked, number(want, "locked_to_thread"));
	expect(file, "unavailable", c->unavailable, number(want, "stack_unavailable"));
	expect(file, "elided", c->elided, number(want, "frames_elided"));
	expect(file, "labels", c->labelled, number(want, "with_labels"));
	expect(file, "parents", c->parents, number(want, "with_parent"));
	if (!reads_more_frames(file)) {
		expect(file, "frames", c->frames, number(want, "frames"));
		expect_names(file, "top", c->by_top, json_object_get(want, "top10"));
		expect_names(file, "entry", c->by_entry, json_object_get(want, "entry10"));
	}
	expect_names(file, "creator", c->by_creator, json_object_get(want, "created_by10"));
	if (!json_equal(c->by_state, json_object_get(want, "base_states"))) {
		struct buf b = BUF_INIT;

		complaints++;
		json_write(c->by_state, &b);
		buf_adds(&b, "\n  should be ");
		json_write(json_object_get(want, "base_states"), &b);
		fprintf(stderr, "%s: states: %s\n", file, b.p);
		buf_release(&b);
	}
}

static void compare_debug1(
	const char *file, const json_t *want, const struct count *c, const struct gdump_stats *s)
{
	bool leak = str_is(
		str_of(json_string_value(json_object_get(want, "profile"))), "goroutineleak");

	if (!leak) { /* the phantom record of a leak profile is not counted here */
		expect(file, "sum", s->parsed, number(want, "sum_of_counts"));
		expect(file, "announced", s->announced, number(want, "total_header"));
		expect(file, "records", s->records, number(want, "records"));
	}
	expect(file, "lost", s->lost, number(want, "total_header") - number(want, "sum_of_counts"));
	if (s->bad_lines || s->format != GDUMP_DEBUG1)
		return;
	expect(file, "frames", c->frames, number(want, "frames"));
	expect_names(file, "top", c->by_top, json_object_get(want, "top10"));
	expect_names(file, "entry", c->by_entry, json_object_get(want, "entry10"));
}

static bool through_mend; /* as the offline commands read */

static void mended_cb(void *arg, const char *p, size_t n, uint32_t line)
{
	gdump_at_line(arg, line);
	gdump_feed(arg, p, n);
}

static void feed(struct gdump *g, struct str body)
{
	const struct mend_sink sink = {.out = mended_cb, .arg = g};
	struct mend *m;

	if (!through_mend) {
		gdump_feed(g, body.p, body.len);
		return;
	}
	m = mend_new(&sink);
	mend_feed(m, body.p, body.len);
	mend_finish(m, NULL);
	mend_free(m);
}

static void compare(const char *file, const json_t *want, struct str body)
{
	struct count c = {.by_state = json_object(),
		.by_top = json_object(),
		.by_entry = json_object(),
		.by_creator = json_object()};
	struct gdump_sink sink = {.group = count_group, .arg = &c};
	struct gdump *g = gdump_new(&sink);
	struct err err = ERR_INIT;

	feed(g, body);
	if (gdump_finish(g, &err) < 0) {
		complaints++;
		fprintf(stderr, "%s: %s\n", file, err.msg);
	} else if (json_object_get(want, "debug1")) {
		compare_debug1(file, json_object_get(want, "debug1"), &c, gdump_stats(g));
	} else {
		compare_debug2(file, json_object_get(want, "debug2"), &c, gdump_stats(g));
	}
	gdump_free(g);
	json_decref(c.by_state);
	json_decref(c.by_top);
	json_decref(c.by_entry);
	json_decref(c.by_creator);
}

/* Damage that is read here and not by the oracle: the right answer is the undamaged file's. */
static const struct {
	const char *damaged, *base;
	bool mended; /* by mend only */
} derived[] = {
	{"other/derived-spaces8-debug1.txt", "captured/alertmanager-trixie-debug1.txt", false},
	{"other/derived-nohash-debug1.txt", "captured/alertmanager-trixie-debug1.txt", true},
};

/* Damage that has to be mended before this parser sees it: refused, with a reason. */
static const char *const needs_mending[] = {
	"other/derived-docker-json-debug2.txt",
	"other/derived-indent4-debug2.txt",
	"other/derived-quoted-debug2.txt",
	"other/derived-timestamps-debug2.txt",
	"other/derived-utf16le-debug2.txt",
	"other/derived-notfound.txt",
	"captured/containerd-trixie-sigusr1-logrus.txt",
	"captured/prometheus-sid-heap-debug1.txt",
};

static const json_t *truth_of(const json_t *truth, const char *file)
{
	for (size_t i = 0; i < ARRAY_LEN(derived); i++) {
		if (strcmp(file, derived[i].damaged) == 0 && through_mend >= derived[i].mended)
			return json_object_get(truth, derived[i].base);
	}
	return json_object_get(truth, file);
}

static json_t *read_truth(void)
{
	char path[4400];
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	json_t *truth = NULL;

	snprintf(path, sizeof(path), "%s/truth.json", corpus());
	if (read_file(path, &b)) {
		truth = json_read(buf_str(&b), &err);
		if (!truth)
			fail_msg("%s: %s", path, err.msg);
	}
	buf_release(&b);
	return truth;
}

static void agrees_with_the_oracle(void **state)
{
	json_t *truth = read_truth(), *entry;
	struct buf body = BUF_INIT;
	const char *file;
	unsigned files = 0;

	(void)state;
	if (!truth) {
		print_message("no %s/truth.json: skipped\n", corpus());
		skip();
	}
	complaints = 0;
	json_object_foreach(truth, file, entry)
	{
		const char *format = json_string_value(json_object_get(entry, "format"));
		char path[4400];

		if (strcmp(format, "debug1") != 0 && strcmp(format, "debug2") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", corpus(), file);
		if (strstr(file, "derived-bom-") || !read_file(path, &body))
			continue; /* its first header is not one to the oracle; test_gdump has it */
		compare(file, truth_of(truth, file), buf_str(&body));
		files++;
	}
	buf_release(&body);
	json_decref(truth);
	assert_int_equal(complaints, 0);
	assert_true(files > 100);
}

/* Mending takes nothing out of dumps that need none. */
static void agrees_when_mended(void **state)
{
	through_mend = true;
	agrees_with_the_oracle(state);
	through_mend = false;
}

static void refuses_what_needs_mending(void **state)
{
	struct buf body = BUF_INIT, out = BUF_INIT;
	unsigned files = 0;
	char path[4400];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(needs_mending); i++) {
		snprintf(path, sizeof(path), "%s/%s", corpus(), needs_mending[i]);
		if (!read_file(path, &body))
			continue;
		buf_reset(&out);
		if (render_dump(&out, buf_str(&body), 0) == 0)
			fail_msg("%s was taken for a dump:\n%s", path, out.p);
		assert_non_null(strstr(out.p, "no goroutine dump: "));
		files++;
	}
	buf_release(&body);
	buf_release(&out);
	if (!files)
		skip();
}

/* Whose answer the oracle does not have, but the index of the corpus: that of the undamaged dump.
 */
static void reads_derived_dumps(void **state)
{
	static const struct {
		const char *file;
		unsigned goroutines;
	} rows[] = {
		{"other/derived-bom-debug2.txt", 12}, /* the oracle misses the first: 11 */
		{"other/derived-docker-json-debug2.txt", 21},
		{"other/derived-indent4-debug2.txt", 12},
		{"other/derived-quoted-debug2.txt", 12},
		{"other/derived-timestamps-debug2.txt", 21},
		{"other/derived-utf16le-debug2.txt", 12},
	};
	const struct gdump_sink sink = {.group = NULL};
	struct buf body = BUF_INIT;
	unsigned files = 0;
	char path[4400];

	(void)state;
	through_mend = true;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct gdump_stats *st;
		struct gdump *g;

		snprintf(path, sizeof(path), "%s/%s", corpus(), rows[i].file);
		if (!read_file(path, &body))
			continue;
		g = gdump_new(&sink);
		st = gdump_stats(g);
		feed(g, buf_str(&body));
		if (gdump_finish(g, NULL) != 0 || st->parsed != rows[i].goroutines || st->lost ||
			st->bad_lines || st->truncated)
			fail_msg("%s: %llu goroutines, not %u; lost %llu, line %u: %s", path,
				(unsigned long long)st->parsed, rows[i].goroutines,
				(unsigned long long)st->lost, st->first_bad_line, st->first_bad);
		gdump_free(g);
		files++;
	}
	through_mend = false;
	buf_release(&body);
	if (!files)
		skip();
}

static bool is_dump(const char *name)
{
	return (strstr(name, "debug1") || strstr(name, "debug2") || strstr(name, "sigquit") ||
		       strstr(name, "crash-") || strstr(name, "ancestors")) &&
	       strstr(name, ".txt") && !strstr(name, "truncated");
}

/* One sample: nothing lost, nothing misread, and the same result byte by byte. */
static void check_sample(const char *path, struct str body)
{
	struct buf whole = BUF_INIT, bytes = BUF_INIT;

	if (render_dump(&whole, body, 0) < 0 || strstr(whole.p, " truncated") ||
		!strstr(whole.p, " lost=0 bad=0 ")) {
		complaints++;
		fprintf(stderr, "%s: %s\n", path, strstr(whole.p, " announced="));
	}
	render_dump(&bytes, body, 1);
	if (!str_eq(buf_str(&whole), buf_str(&bytes))) {
		complaints++;
		fprintf(stderr, "%s: byte by byte it reads otherwise\n", path);
	}
	buf_release(&whole);
	buf_release(&bytes);
}

static unsigned check_samples(const char *dir)
{
	struct buf body = BUF_INIT;
	struct dirent *e;
	unsigned files = 0;
	DIR *d = opendir(dir);

	while (d && (e = readdir(d)) != NULL) {
		char path[4400];

		if (!is_dump(e->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (!read_file(path, &body))
			continue;
		check_sample(path, buf_str(&body));
		files++;
	}
	if (d)
		closedir(d);
	buf_release(&body);
	return files;
}

/* Every Go version of the samples. */
static void reads_the_samples_whole(void **state)
{
	static const char *const versions[] = {"go1.13", "go1.16", "go1.19.8", "go1.20", "go1.21.0",
		"go1.22.0", "go1.23.0", "go1.24", "go1.25", "go1.26", "go1.27", "go1.27-gomod127",
		"big"};
	unsigned files = 0;
	char dir[4000];

	(void)state;
	complaints = 0;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		snprintf(dir, sizeof(dir), "%s/../samples/%s", corpus(), versions[i]);
		files += check_samples(dir);
	}
	if (!files)
		skip();
	assert_int_equal(complaints, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_oracle),
		cmocka_unit_test(agrees_when_mended),
		cmocka_unit_test(refuses_what_needs_mending),
		cmocka_unit_test(reads_derived_dumps),
		cmocka_unit_test(reads_the_samples_whole),
	};

	return cmocka_run_group_tests_name("gdump_corpus", tests, NULL, NULL);
}
