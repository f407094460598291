/* debug=0: profiles made here field by field, what is refused and why, and limits. */
#include "../gdump_render.h"
#include "../proto_write.h"
#include "err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ---- a profile of two samples ------------------------------------------------------------------
 */
static void add_sample(
	struct buf *b, const uint64_t *locations, size_t n, int64_t value, bool label)
{
	struct buf m = BUF_INIT, packed = BUF_INIT;

	for (size_t i = 0; i < n; i++)
		proto_varint(&packed, locations[i]);
	proto_bytes(&m, 1, buf_str(&packed));
	buf_reset(&packed);
	proto_varint(&packed, (uint64_t)value);
	proto_bytes(&m, 2, buf_str(&packed));
	if (label)
		proto_pair(&m, 3, 7, 8);
	proto_bytes(b, 2, buf_str(&m));
	buf_release(&m);
	buf_release(&packed);
}

static void add_function(struct buf *b, uint64_t id, uint64_t name, uint64_t file)
{
	struct buf m = BUF_INIT;

	proto_number(&m, 1, id);
	proto_number(&m, 2, name);
	proto_number(&m, 3, name);
	proto_number(&m, 4, file);
	proto_bytes(b, 5, buf_str(&m));
	buf_release(&m);
}

static void add_location(
	struct buf *b, uint64_t id, uint64_t function, uint64_t inlined_into, uint64_t line)
{
	struct buf m = BUF_INIT;

	proto_number(&m, 1, id);
	proto_number(&m, 3, 0x1000 + id);
	proto_pair(&m, 4, function, line);
	if (inlined_into)
		proto_pair(&m, 4, inlined_into, line + 100);
	proto_bytes(b, 4, buf_str(&m));
	buf_release(&m);
}

static const char *const names[] = {"", "goroutine", "count", "runtime.gopark", "runtime.chanrecv1",
	"main.work[go.shape.int]", "main.run", "handler", "/api", "/src/main.go"};

/* What the rows below vary. */
struct variant {
	const char *type; /* instead of "goroutine" */
	const char *unit;
	int64_t second; /* the second sample's count */
	uint64_t duration;
	unsigned types; /* how many sample types */
	uint64_t location; /* of the second sample */
};

static void make_profile(const struct variant *v, struct buf *b)
{
	static const uint64_t first[] = {1, 2, 3};
	const uint64_t second[] = {v->location};

	for (unsigned i = 0; i < v->types; i++)
		proto_pair(b, 1, 1, 2);
	add_sample(b, first, 3, 4, true);
	add_sample(b, second, 1, v->second, false);
	add_location(b, 1, 1, 0, 10);
	add_location(b, 2, 2, 0, 20);
	add_location(b, 3, 3, 4, 30); /* main.work inlined into main.run */
	add_location(b, 77, 4, 0, 40); /* ids need not be dense */
	for (uint64_t i = 0; i < 4; i++)
		add_function(b, i + 1, i + 3, 9);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		proto_bytes(b, 6,
			i == 1 && v->type   ? str_of(v->type)
			: i == 2 && v->unit ? str_of(v->unit)
					    : str_of(names[i]));
	if (v->duration)
		proto_number(b, 10, v->duration);
}

static const struct variant plain = {.second = 2, .types = 1, .location = 77};

static void expect_text(const struct buf *got, const char *want)
{
	if (!strstr(got->p, want))
		fail_msg("%s\nis not in\n%s", want, got->p);
}

static void samples_are_groups(void **state)
{
	struct buf b = BUF_INIT, out = BUF_INIT;

	(void)state;
	make_profile(&plain, &b);
	for (size_t piece = 0; piece < 9; piece++) {
		buf_reset(&out);
		assert_int_equal(render_dump(&out, buf_str(&b), piece), 0);
		expect_text(&out, " {handler=/api} runtime.gopark /src/main.go:10; "
				  "runtime.chanrecv1 /src/main.go:20; "
				  "main.work[go.shape.int] /src/main.go:30; "
				  "main.run /src/main.go:130;\n");
		expect_text(&out, " main.run /src/main.go:40;\n");
		expect_text(&out, "proto announced=6 parsed=6 records=2 duplicates=0 lost=0 bad=0");
	}
	buf_release(&b);
	buf_release(&out);
}

static const struct {
	const char *name;
	struct variant v;
	const char *why;
} refused[] = {
	{"a negative count", {.second = -1, .types = 1, .location = 77},
		"received a delta profile"},
	{"a delta without one", {.second = 2, .duration = 9, .types = 1, .location = 77},
		"received a delta profile"},
	{"a CPU profile", {.type = "cpu", .unit = "nanoseconds", .types = 1, .location = 77},
		"received a profile of cpu/nanoseconds; what is read is a profile of "
		"goroutine/count"},
	{"a heap profile", {.type = "alloc_objects", .types = 4, .location = 77},
		"received a profile of alloc_objects/count;"},
	{"a count that is none", {.second = (int64_t)1 << 50, .types = 1, .location = 77},
		"a sample cannot be read"},
};

static void others_are_refused(void **state)
{
	struct buf b = BUF_INIT, out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		buf_reset(&b);
		buf_reset(&out);
		make_profile(&refused[i].v, &b);
		assert_int_equal(render_dump(&out, buf_str(&b), 0), -1);
		expect_text(&out, refused[i].why);
	}
	buf_release(&b);
	buf_release(&out);
}

/* References that lead nowhere are frames without a name, not reads outside. */
static void dangling_references(void **state)
{
	struct variant v = plain;
	struct buf b = BUF_INIT, out = BUF_INIT;

	(void)state;
	v.location = 12345;
	make_profile(&v, &b);
	assert_int_equal(render_dump(&out, buf_str(&b), 0), 0);
	expect_text(&out, "parsed=6");
	buf_release(&b);
	buf_release(&out);
}

/* Cut anywhere: either refused, or nothing of it is lost. */
static void cut_anywhere(void **state)
{
	struct buf b = BUF_INIT, out = BUF_INIT;
	unsigned refusals = 0;

	(void)state;
	make_profile(&plain, &b);
	for (size_t n = 3; n < b.len; n++) {
		buf_reset(&out);
		refusals += render_dump(&out, str_n(b.p, n), 0) != 0;
	}
	assert_true(refusals > b.len / 2);
	buf_release(&b);
	buf_release(&out);
}

static void gzip_in_pieces(void **state)
{
	static const char text[] = "goroutine 1 [select]:\nmain.f()\n\t/f.go:1 +0x1\n\n";
	struct buf b = BUF_INIT, small = BUF_INIT, out = BUF_INIT;

	(void)state;
	make_profile(&plain, &b);
	proto_gzip(buf_str(&b), &small);
	for (size_t piece = 0; piece < 5; piece++) {
		buf_reset(&out);
		assert_int_equal(render_dump(&out, buf_str(&small), piece), 0);
		expect_text(&out, "parsed=6");
	}
	/* cut */
	buf_reset(&out);
	assert_int_equal(render_dump(&out, str_n(small.p, small.len - 9), 0), -1);
	expect_text(&out, "no goroutine dump: gzip: the data ends early");
	/* a text that was compressed */
	buf_reset(&small);
	buf_reset(&out);
	proto_gzip(str_n(text, sizeof(text) - 1), &small);
	assert_int_equal(render_dump(&out, buf_str(&small), 3), 0);
	expect_text(&out, "debug2 announced=0 parsed=1");
	buf_release(&b);
	buf_release(&small);
	buf_release(&out);
}

static void too_much_is_refused(void **state)
{
	struct buf b = BUF_INIT, small = BUF_INIT, out = BUF_INIT;

	(void)state;
	proto_pair(&b, 1, 1, 2);
	for (unsigned i = 0; i <= GDUMP_PROTO_ROWS; i++)
		proto_bytes(&b, 6, STR(""));
	assert_int_equal(render_dump(&out, buf_str(&b), 0), -1);
	expect_text(&out, "more functions, locations or names than are read");
	/* 65 MiB of one field, in 64 KiB of gzip */
	buf_reset(&b);
	buf_reset(&out);
	proto_pair(&b, 1, 1, 2);
	proto_varint(&b, 6 << 3 | 2);
	proto_varint(&b, GDUMP_PROTO_MAX);
	buf_reserve(&b, GDUMP_PROTO_MAX);
	memset(b.p + b.len, 'x', GDUMP_PROTO_MAX);
	b.len += GDUMP_PROTO_MAX;
	proto_gzip(buf_str(&b), &small);
	assert_int_equal(render_dump(&out, buf_str(&small), 0), -1);
	expect_text(&out, "gzip: more comes out of it than is read");
	buf_release(&b);
	buf_release(&small);
	buf_release(&out);
}

/* One location of many lines that everything refers to: the work is bounded by frames, not by a
 * product. */
static void shared_locations_are_bounded(void **state)
{
	enum { LINES = 2000, REFERENCES = 4000 };
	struct buf b = BUF_INIT, m = BUF_INIT, out = BUF_INIT;
	uint64_t ones[REFERENCES];

	(void)state;
	for (size_t i = 0; i < REFERENCES; i++)
		ones[i] = 1;
	for (unsigned samples = 1; samples < 20000; samples += 19000) {
		buf_reset(&b);
		buf_reset(&m);
		buf_reset(&out);
		proto_pair(&b, 1, 1, 2);
		for (unsigned i = 0; i < samples; i++)
			add_sample(&b, ones, samples > 1 ? 1 : REFERENCES, 1, false);
		proto_number(&m, 1, 1);
		for (unsigned i = 0; i < LINES; i++)
			proto_pair(&m, 4, 1, i);
		proto_bytes(&b, 4, buf_str(&m));
		add_function(&b, 1, 3, 9);
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			proto_bytes(&b, 6, str_of(names[i]));
		/* 19001 x 1101 frames are more than are read; one sample keeps what it may. */
		if (samples == 1) {
			assert_int_equal(render_dump(&out, buf_str(&b), 0), 0);
			expect_text(&out, "0m elided runtime.gopark /src/main.go:0; ");
			expect_text(&out, " runtime.gopark /src/main.go:1099;\n");
		} else {
			assert_int_equal(render_dump(&out, buf_str(&b), 0), -1);
			expect_text(&out, "it has more frames than are read");
		}
	}
	buf_release(&b);
	buf_release(&m);
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_are_groups),
		cmocka_unit_test(others_are_refused),
		cmocka_unit_test(dangling_references),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(gzip_in_pieces),
		cmocka_unit_test(too_much_is_refused),
		cmocka_unit_test(shared_locations_are_bounded),
	};

	return cmocka_run_group_tests_name("gdump_proto", tests, NULL, NULL);
}
