/*
 * Damaged dumps, mended, are the dumps they were: every damage of tests/damage.h over every dump of
 * fixtures/dumps, and, where they are at hand, the damaged files of ../shared/samples/mangled
 * (LEAKWATCH_SAMPLES) and ../shared/corpus/other (LEAKWATCH_CORPUS).
 */
#include "../damage.h"
#include "../gdump_render.h"
#include "err.h"
#include "gunzip.h"
#include "mend.h"
#include "xalloc.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <cmocka.h>

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

static void keep_cb(void *arg, const char *p, size_t n, uint32_t line)
{
	(void)line;
	buf_add(arg, p, n);
}

/* Mends text fed in pieces of at most `piece` bytes (0: whole); what was done. */
static unsigned mend_all(struct str text, size_t piece, struct buf *out)
{
	const struct mend_sink sink = {.out = keep_cb, .arg = out};
	struct mend *m = mend_new(&sink);
	unsigned done;

	buf_reset(out);
	for (size_t at = 0; at < text.len; at += piece ? piece : text.len) {
		struct str s = str_sub(text, at, piece ? at + piece : text.len);

		mend_feed(m, s.p, s.len);
	}
	assert_int_equal(mend_finish(m, NULL), 0);
	done = mend_done(m);
	mend_free(m);
	return done;
}

/* The groups that a parser finds, a line each; the statistics in *stats. */
static void parse(struct str text, struct buf *groups, struct gdump_stats *stats)
{
	const struct gdump_sink sink = {.group = render_group, .arg = groups};
	struct gdump *g = gdump_new(&sink);

	buf_reset(groups);
	gdump_feed(g, text.p, text.len);
	gdump_finish(g, NULL);
	*stats = *gdump_stats(g);
	gdump_free(g);
}

/* Prints the first group that differs; true when there is none. */
static bool same_groups(const char *what, struct str got, struct str want)
{
	struct str a, b;
	unsigned n = 0;

	if (str_eq(got, want))
		return true;
	for (;;) {
		bool more = str_line(&got, &a), wanted = str_line(&want, &b);

		n++;
		if (!more || !wanted || !str_eq(a, b)) {
			print_message("%s: goroutine %u:\n  got  %.*s\n  want %.*s\n", what, n,
				more ? (int)MIN(a.len, (size_t)600) : 9, more ? a.p : "(nothing)",
				wanted ? (int)MIN(b.len, (size_t)600) : 9,
				wanted ? b.p : "(nothing)");
			return false;
		}
	}
}

/* ---- every damage over our own dumps ----------------------------------------------------------
 */
static const struct {
	const char *name;
	damage_fn *damage;
	unsigned done; /* what mend must say that it did */
	bool counted; /* leaves lines that the parser counts */
} damages[] = {
	{"journald", damage_journald, MEND_PREFIXES, false},
	{"kubectl", damage_kubectl, MEND_PREFIXES, false},
	{"compose", damage_compose, MEND_PREFIXES, false},
	{"compose, two services", damage_others, MEND_PREFIXES, false},
	{"quoted", damage_quoted, MEND_PREFIXES, false},
	{"indented", damage_indented, MEND_PREFIXES, false},
	{"rsyslog", damage_rsyslog, MEND_PREFIXES, false},
	{"CRI, long lines in parts", damage_cri, MEND_RECORDS, false},
	{"Docker", damage_docker, MEND_RECORDS, false},
	{"journalctl -o json", damage_journal_json, MEND_RECORDS, false},
	{"JSON field", damage_json_field, MEND_ESCAPES, false},
	{"logfmt field", damage_logfmt, MEND_ESCAPES, false},
	{"CRLF", damage_crlf, 0, false},
	{"LF and CRLF", damage_mixed_eol, 0, false},
	{"byte order mark", damage_bom, 0, false},
	{"UTF-16", damage_utf16, MEND_UTF16, false},
	{"colours", damage_colours, MEND_COLOURS, false},
	{"HTML", damage_html, MEND_HTML, true},
	{"no-break spaces", damage_nbsp, MEND_NBSP, false},
	{"tabs to spaces", damage_spaces, 0, false},
	{"wrapped at 80", damage_wrapped, MEND_WRAPS, false},
	{"wrapped between words", damage_wrapped_words, MEND_WRAPS, false},
};

/* For formats that only some of the dumps have. */
static const struct {
	const char *name;
	damage_fn *damage;
	unsigned done;
	const char *dump; /* a part of the file's name */
	bool counted;
} some_damages[] = {
	{"# eaten", damage_no_hash, MEND_HASHES, "debug1", false},
	{"a column a line", damage_cells, MEND_WRAPS, "debug1", false},
	{"files on lines of their own", damage_own_line, MEND_WRAPS, "debug1", false},
	{"double-spaced", damage_double_spaced, MEND_BLANKS, "debug2", false},
	{"squeezed", damage_squeezed, 0, "debug", false},
	{"squeezed", damage_squeezed, 0, "sigquit", false},
	{"a record each", damage_records, MEND_ESCAPES, "debug2", true},
	{"logs in between", damage_interleaved, MEND_OTHERS, "debug2", true},
};

static bool is_ascii(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] & 0x80)
			return false;
	}
	return true;
}

/* How the damage went: true when nothing is lost and mend says what it did. */
static bool is_mended(const char *file, const char *name, damage_fn *damage, unsigned done,
	bool counted, struct str clean)
{
	struct buf damaged = BUF_INIT, mended = BUF_INIT, want = BUF_INIT, got = BUF_INIT;
	struct gdump_stats was, is;
	char *what = xasprintf("%s, %s", file, name);
	unsigned did;
	bool ok;

	parse(clean, &want, &was);
	damage(clean, &damaged);
	did = mend_all(buf_str(&damaged), 0, &mended);
	parse(buf_str(&mended), &got, &is);
	ok = same_groups(what, buf_str(&got), buf_str(&want));
	if (is.parsed != was.parsed || is.lost != was.lost || is.duplicates != was.duplicates ||
		(!counted && is.bad_lines != was.bad_lines) || (did & done) != done) {
		print_message("%s: parsed %u of %u, lost %u, bad lines %u: %s; done %x, not %x\n",
			what, (unsigned)is.parsed, (unsigned)was.parsed, (unsigned)is.lost,
			(unsigned)is.bad_lines, is.first_bad, did, done);
		ok = false;
	}
	free(what);
	buf_release(&damaged);
	buf_release(&mended);
	buf_release(&want);
	buf_release(&got);
	return ok;
}

static void every_damage_is_mended(void **state)
{
	DIR *d = opendir("fixtures/dumps");
	struct buf clean = BUF_INIT;
	unsigned files = 0, wrong = 0;

	(void)state;
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		char *path = xasprintf("fixtures/dumps/%s", e->d_name);

		if (strstr(e->d_name, ".txt") && !strstr(e->d_name, "cut") &&
			read_file(path, &clean)) {
			struct str text = buf_str(&clean);

			for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
				if (damages[i].damage == damage_utf16 && !is_ascii(text))
					continue;
				if (damages[i].damage == damage_wrapped_words &&
					strstr(e->d_name, "labels"))
					continue; /* a blank inside a label is gone */
				wrong += !is_mended(e->d_name, damages[i].name, damages[i].damage,
					damages[i].done, damages[i].counted, text);
			}
			for (size_t i = 0; i < ARRAY_LEN(some_damages); i++) {
				if (strstr(e->d_name, some_damages[i].dump))
					wrong += !is_mended(e->d_name, some_damages[i].name,
						some_damages[i].damage, some_damages[i].done,
						some_damages[i].counted, text);
			}
			files++;
		}
		free(path);
	}
	closedir(d);
	buf_release(&clean);
	assert_true(files >= 5);
	assert_int_equal(wrong, 0);
}

/* What is not damaged stays as it is, byte for byte, and nothing is said to be done. */
static void clean_dumps_stay(void **state)
{
	DIR *d = opendir("fixtures/dumps");
	struct buf clean = BUF_INIT, mended = BUF_INIT;
	unsigned files = 0;

	(void)state;
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		char *path = xasprintf("fixtures/dumps/%s", e->d_name);

		if (strstr(e->d_name, ".txt") && read_file(path, &clean)) {
			for (size_t piece = 0; piece < 300; piece += 37) {
				unsigned done = mend_all(buf_str(&clean), piece, &mended);

				if (done || !str_eq(buf_str(&mended), buf_str(&clean)))
					fail_msg("%s: changed (%x) in pieces of %zu", e->d_name,
						done, piece);
			}
			files++;
		}
		free(path);
	}
	closedir(d);
	buf_release(&clean);
	buf_release(&mended);
	assert_true(files >= 5);
}

/* The same comes out however the input is cut. */
static void pieces_make_no_difference(void **state)
{
	struct buf clean = BUF_INIT, damaged = BUF_INIT, whole = BUF_INIT, cut = BUF_INIT;

	(void)state;
	assert_true(read_file("fixtures/dumps/zoo-debug2.txt", &clean));
	for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
		buf_reset(&damaged);
		damages[i].damage(buf_str(&clean), &damaged);
		mend_all(buf_str(&damaged), 0, &whole);
		for (size_t piece = 1; piece < 9; piece += 3) {
			mend_all(buf_str(&damaged), piece, &cut);
			if (!str_eq(buf_str(&whole), buf_str(&cut)))
				fail_msg("%s: differs in pieces of %zu", damages[i].name, piece);
		}
	}
	buf_release(&clean);
	buf_release(&damaged);
	buf_release(&whole);
	buf_release(&cut);
}

/* ---- single lines -----------------------------------------------------------------------------
 */
static const struct {
	const char *name, *in, *out;
	unsigned done;
} lines[] = {
	{"nothing", "", "", 0},
	{"no newline at the end stays so", "goroutine 1 [running]:\nmain.main()\n\t/a.go:1",
		"goroutine 1 [running]:\nmain.main()\n\t/a.go:1", 0},
	{"a header inside a sentence", "see goroutine 5 [select]: it waits\nfor nobody\n",
		"see goroutine 5 [select]: it waits\nfor nobody\n", 0},
	{"a header behind a prefix, but no stack below", "log: goroutine 5 [select]:\nfor nobody\n",
		"log: goroutine 5 [select]:\nfor nobody\n", 0},
	{"a header quoted by a panic (Go 1.23)",
		"panic: a\n\tgoroutine 7 [running]:\n\tmain.f(0x1)\n\t\t/f.go:1 +0x1\n\n",
		"panic: a\n\tgoroutine 7 [running]:\n\tmain.f(0x1)\n\t\t/f.go:1 +0x1\n\n", 0},
	{"a logger that writes its prefix once",
		"2026/11/21 goroutine 7 [running]:\nmain.f(0x1)\n\t/f.go:1 +0x1\n",
		"goroutine 7 [running]:\nmain.f(0x1)\n\t/f.go:1 +0x1\n", MEND_PREFIXES},
	{"a prefix inside a prefix",
		"api | 10:01 goroutine 7 [running]:\napi | main.f(0x1)\napi | \t/f.go:1 +0x1\n"
		"api | \napi | 10:02 goroutine 8 [running]:\napi | main.g(0x1)\napi | \t/g.go:2\n",
		"goroutine 7 [running]:\nmain.f(0x1)\n\t/f.go:1 +0x1\n\n"
		"goroutine 8 [running]:\nmain.g(0x1)\n\t/g.go:2\n",
		MEND_PREFIXES},
	{"a fraction of a second without zeros",
		"1.25 goroutine 7 [running]:\n1.3 main.f(0x1)\n2 \t/f.go:1 +0x1\n",
		"goroutine 7 [running]:\nmain.f(0x1)\n\t/f.go:1 +0x1\n", MEND_PREFIXES},
	{"a dump in JSON in Docker's JSON",
		"{\"log\":\"{\\\"msg\\\":\\\"x\\\\ngoroutine 7 [running]:\\\\nmain.f()\\\\n"
		"\\\\t/f.go:1\\\"}\\n\",\"stream\":\"stderr\"}\n",
		"x\ngoroutine 7 [running]:\nmain.f()\n\t/f.go:1\n", MEND_RECORDS | MEND_ESCAPES},
	{"a label with an ampersand is no HTML",
		"goroutine 7 [running] {k: \"a&amp;b\"}:\nmain.f()\n\t/f.go:1\n",
		"goroutine 7 [running] {k: \"a&amp;b\"}:\nmain.f()\n\t/f.go:1\n", 0},
	{"a header wrapped",
		"goroutine 7 [chan receive, 5 minutes, locked to\nthread]:\nmain.f()\n\t/f.go:1\n",
		"goroutine 7 [chan receive, 5 minutes, locked to thread]:\nmain.f()\n\t/f.go:1\n",
		MEND_WRAPS},
	{"program counters wrapped",
		"goroutine profile: total 1\n1 @ 0x43be36 0x40\n8a3b 0x46c5c1\n#\t0x408a3a\tmain.f"
		"+0x1\t/f.go:1\n",
		"goroutine profile: total 1\n1 @ 0x43be36 0x408a3b "
		"0x46c5c1\n#\t0x408a3a\tmain.f+0x1\t"
		"/f.go:1\n",
		MEND_WRAPS},
	{"binary data goes through", "\x0a\x04\x08\x01\x10\x02 goroutine 5 [select]:\\n",
		"\x0a\x04\x08\x01\x10\x02 goroutine 5 [select]:\\n", 0},
};

static void lines_are_mended(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		for (size_t piece = 0; piece < 2; piece++) {
			unsigned done = mend_all(str_of(lines[i].in), piece, &out);

			if (strcmp(out.p, lines[i].out) != 0 || done != lines[i].done)
				fail_msg("%s (%x):\n%s", lines[i].name, done, out.p);
		}
	}
	buf_release(&out);
}

/* The numbers that come with the lines are those of the input. */
struct numbered {
	struct str wanted;
	uint32_t line;
};

static void number_cb(void *arg, const char *p, size_t n, uint32_t line)
{
	struct numbered *w = arg;
	struct str text = str_n(p, n), one;

	while (str_line(&text, &one)) {
		if (str_starts(one, w->wanted))
			w->line = line;
		line++;
	}
}

static void numbers_are_the_inputs(void **state)
{
	static const char text[] = "goroutine 1 [running]:\nmain.f({0x1,\n 0x2})\n\t/f.go:1\n\n"
				   "goroutine 2 [select]:\nmain.g()\n\t/g.go:2\n";
	struct numbered w = {.wanted = STR("goroutine 2")};
	const struct mend_sink sink = {.out = number_cb, .arg = &w};

	(void)state;
	for (size_t piece = 1; piece < sizeof(text); piece++) {
		struct mend *m = mend_new(&sink);

		w.line = 0;
		for (size_t at = 0; at < sizeof(text) - 1; at += piece)
			mend_feed(m, text + at, MIN(piece, sizeof(text) - 1 - at));
		mend_finish(m, NULL);
		mend_free(m);
		assert_int_equal(w.line, 6);
	}
}

static void an_escaped_dump_of_any_length(void **state)
{
	struct buf text = BUF_INIT, damaged = BUF_INIT, mended = BUF_INIT, groups = BUF_INIT;
	struct gdump_stats stats;

	(void)state;
	for (unsigned i = 1; i <= 40000; i++)
		buf_addf(&text, "goroutine %u [select]:\nmain.worker(0xc%06x)\n\t/src/w.go:%u\n\n",
			i, i, i % 100);
	damage_json_field(buf_str(&text), &damaged);
	assert_true(damaged.len > 2 * MEND_LINE_MAX);
	mend_all(buf_str(&damaged), 16384, &mended);
	parse(buf_str(&mended), &groups, &stats);
	assert_int_equal(stats.parsed, 40000);
	assert_int_equal(stats.bad_lines, 0);
	buf_release(&text);
	buf_release(&damaged);
	buf_release(&mended);
	buf_release(&groups);
}

/* ---- gzip -------------------------------------------------------------------------------------
 */
static void compress_all(struct str text, struct buf *out)
{
	z_stream z = {.next_in = (Bytef *)text.p, .avail_in = (uInt)text.len};

	assert_int_equal(
		deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
	buf_reserve(out, deflateBound(&z, text.len));
	z.next_out = (Bytef *)out->p;
	z.avail_out = (uInt)out->cap;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->len = z.total_out;
	deflateEnd(&z);
}

static void gzip_is_taken_out(void **state)
{
	struct buf clean = BUF_INIT, small = BUF_INIT, out = BUF_INIT;
	const struct mend_sink sink = {.out = keep_cb, .arg = &out};
	struct err err = ERR_INIT;
	struct mend *m;

	(void)state;
	assert_true(read_file("fixtures/dumps/zoo-debug2.txt", &clean));
	compress_all(buf_str(&clean), &small);
	assert_int_equal(mend_all(buf_str(&small), 7, &out), MEND_GZIP);
	assert_true(str_eq(buf_str(&out), buf_str(&clean)));
	/* cut: what came before is handed out, and the end is told */
	buf_reset(&out);
	m = mend_new(&sink);
	mend_feed(m, small.p, small.len / 2);
	assert_int_equal(mend_finish(m, &err), -1);
	assert_string_equal(err.msg, "gzip: the data ends early");
	assert_true(out.len > 100 && str_starts(buf_str(&clean), str_n(out.p, out.len - 1)));
	mend_free(m);
	buf_release(&clean);
	buf_release(&small);
	buf_release(&out);
}

static void add_cb(void *arg, const char *p, size_t n)
{
	buf_add(arg, p, n);
}

static void gzip_bombs_have_a_limit(void **state)
{
	struct buf zeros = BUF_INIT, small = BUF_INIT, out = BUF_INIT;
	struct err err = ERR_INIT;
	struct gunzip *z;

	(void)state;
	buf_reserve(&zeros, 1 << 20);
	memset(zeros.p, '0', 1 << 20);
	zeros.len = 1 << 20;
	compress_all(buf_str(&zeros), &small);
	assert_true(small.len < 4096);
	z = gunzip_new(100000, add_cb, &out);
	assert_int_equal(gunzip_feed(z, small.p, small.len, &err), -1);
	assert_string_equal(err.msg, "gzip: more comes out of it than is read");
	assert_true(out.len <= 100000);
	assert_int_equal(gunzip_finish(z, &err), -1);
	gunzip_free(z);
	buf_release(&zeros);
	buf_release(&small);
	buf_release(&out);
}

/* ---- samples ----------------------------------------------------------------------------------
 */
/* Damaged file, undamaged file (its first goroutines), how many of them are not as they were. */
static const struct {
	const char *damaged, *base;
	unsigned differ; /* at the cut */
	bool head_cut; /* the first one is missing */
} mangled[] = {
	{"debug1-crlf.txt", "go1.23.0/debug1.txt", 0, false},
	{"debug1-single-space.txt", "go1.23.0/debug1.txt", 0, false},
	{"debug1-tabs-to-spaces.txt", "go1.23.0/debug1.txt", 0, false},
	{"debug1-truncated-tail.txt", "go1.23.0/debug1.txt", 1, false},
	{"debug2-ansi.txt", "go1.23.0/debug2-minutes.txt", 0, false},
	{"debug2-bom-utf8.txt", "go1.23.0/debug2-minutes.txt", 0, false},
	{"debug2-compose-prefix.txt", "go1.23.0/debug2-minutes.txt", 0, false},
	{"debug2-cri-containerd.log", "go1.23.0/debug2-minutes.txt", 0, false},
	{"debug2-crlf.txt", "go1.23.0/debug2-minutes.txt", 0, false},
	{"debug2-docker-json-file.log", "go1.23.0/debug2-minutes.txt", 0, false},
	{"debug2-html-escaped.txt", "go1.23.0/debug2-minutes.txt", 0, false},
	{"debug2-indented-markdown.txt", "go1.23.0/debug2-minutes.txt", 0, false},
	{"debug2-interleaved-logs.txt", "go1.23.0/debug2-minutes.txt", 0, false},
	{"debug2-journald.txt", "go1.23.0/debug2-minutes.txt", 0, false},
	{"debug2-json-escaped.log", "go1.23.0/debug2-minutes.txt", 0, false},
	{"debug2-kubectl-prefix.txt", "go1.23.0/debug2-minutes.txt", 0, false},
	{"debug2-logfmt-escaped.log", "go1.23.0/debug2-minutes.txt", 0, false},
	{"debug2-no-indent-no-blank.txt", "go1.23.0/debug2-minutes.txt", 0, false},
	{"debug2-quoted-mail.txt", "go1.23.0/debug2-minutes.txt", 0, false},
	{"debug2-spaces4.txt", "go1.23.0/debug2-minutes.txt", 0, false},
	{"debug2-truncated-head.txt", "go1.23.0/debug2-minutes.txt", 0, true},
	{"debug2-truncated-tail.txt", "go1.23.0/debug2-minutes.txt", 0, false},
	{"debug2-two-dumps-concatenated.txt", "go1.23.0/debug2-minutes.txt", 0, false},
	{"debug2-utf16le-powershell.txt", "go1.23.0/debug2-minutes.txt", 0, false},
	{"debug2-wrapped-words72.txt", "go1.23.0/debug2-minutes.txt", 0, false},
	{"debug2-wrapped80.txt", "go1.23.0/debug2-minutes.txt", 0, false},
};

static struct str without_last_lines(struct str s, unsigned n)
{
	for (; n && s.len; n--) {
		s.len--;
		while (s.len && s.p[s.len - 1] != '\n')
			s.len--;
	}
	return s;
}

static size_t line_count(struct str s)
{
	struct str line;
	size_t n = 0;

	while (str_line(&s, &line))
		n++;
	return n;
}

static struct str first_lines(struct str s, size_t n)
{
	struct str rest = s, line;

	while (n-- && str_line(&rest, &line))
		;
	return str_sub(s, 0, (size_t)(rest.p - s.p));
}

/* The goroutines of a damaged file are the first ones of its base. */
static bool agrees(const char *damaged, const char *base, unsigned differ, bool head_cut)
{
	struct buf text = BUF_INIT, mended = BUF_INIT, got = BUF_INIT, want = BUF_INIT;
	struct gdump_stats stats, whole;
	struct str have, should;
	bool ok = false;

	if (read_file(damaged, &text)) {
		mend_all(buf_str(&text), 0, &mended);
		parse(buf_str(&mended), &got, &stats);
		assert_true(read_file(base, &text));
		parse(buf_str(&text), &want, &whole);
		have = without_last_lines(buf_str(&got), differ);
		should = buf_str(&want);
		if (head_cut) {
			struct str gone;

			str_line(&should, &gone);
		}
		ok = stats.parsed > 0 &&
		     same_groups(damaged, have, first_lines(should, line_count(have)));
	}
	buf_release(&text);
	buf_release(&mended);
	buf_release(&got);
	buf_release(&want);
	return ok;
}

static void the_samples_are_mended(void **state)
{
	const char *folder = getenv("LEAKWATCH_SAMPLES");
	unsigned wrong = 0;
	DIR *d;

	(void)state;
	folder = folder ? folder : "../shared/samples";
	d = opendir(folder);
	if (!d) {
		print_message("no %s: skipped\n", folder);
		skip();
	}
	closedir(d);
	for (size_t i = 0; i < ARRAY_LEN(mangled); i++) {
		char *damaged = xasprintf("%s/mangled/%s", folder, mangled[i].damaged);
		char *base = xasprintf("%s/%s", folder, mangled[i].base);

		wrong += !agrees(damaged, base, mangled[i].differ, mangled[i].head_cut);
		free(damaged);
		free(base);
	}
	assert_int_equal(wrong, 0);
}

static const struct {
	const char *damaged, *base;
	unsigned differ;
} derived[] = {
	{"crlf-debug1", "captured/alertmanager-trixie-debug1", 0},
	{"docker-json-debug2", "captured/alertmanager-trixie-sigquit-debug2", 0},
	{"http-headers-debug1", "captured/alertmanager-trixie-debug1", 0},
	{"indent4-debug2", "other/derived-bom-debug2", 0},
	{"noeol-debug1", "captured/alertmanager-trixie-debug1", 0},
	{"nohash-debug1", "captured/alertmanager-trixie-debug1", 0},
	{"quoted-debug2", "other/derived-bom-debug2", 0},
	{"spaces8-debug1", "captured/alertmanager-trixie-debug1", 0},
	{"timestamps-debug2", "captured/alertmanager-trixie-sigquit-debug2", 0},
	{"truncated-2-debug2", "other/derived-bom-debug2", 1},
	{"truncated-3-debug2", "other/derived-bom-debug2", 1},
	{"truncated-debug1", "captured/alertmanager-trixie-debug1", 1},
	{"two-snapshots-debug2", "other/derived-bom-debug2", 0},
	{"utf16le-debug2", "other/derived-bom-debug2", 0},
};

static void the_corpus_is_mended(void **state)
{
	const char *folder = getenv("LEAKWATCH_CORPUS");
	unsigned wrong = 0;
	DIR *d;

	(void)state;
	folder = folder ? folder : "../shared/corpus";
	d = opendir(folder);
	if (!d) {
		print_message("no %s: skipped\n", folder);
		skip();
	}
	closedir(d);
	for (size_t i = 0; i < ARRAY_LEN(derived); i++) {
		char *damaged = xasprintf("%s/other/derived-%s.txt", folder, derived[i].damaged);
		char *base = xasprintf("%s/%s.txt", folder, derived[i].base);

		wrong += !agrees(damaged, base, derived[i].differ, false);
		free(damaged);
		free(base);
	}
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_damage_is_mended),
		cmocka_unit_test(clean_dumps_stay),
		cmocka_unit_test(pieces_make_no_difference),
		cmocka_unit_test(lines_are_mended),
		cmocka_unit_test(numbers_are_the_inputs),
		cmocka_unit_test(an_escaped_dump_of_any_length),
		cmocka_unit_test(gzip_is_taken_out),
		cmocka_unit_test(gzip_bombs_have_a_limit),
		cmocka_unit_test(the_samples_are_mended),
		cmocka_unit_test(the_corpus_is_mended),
	};

	return cmocka_run_group_tests_name("mend", tests, NULL, NULL);
}
