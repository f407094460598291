/*
 * Any bytes as a profile.proto: no crash, the same result however it is cut and when it is
 * compressed, sums that add up; and a profile made from the bytes gives the samples it was made of.
 */
#include "../gdump_render.h"
#include "../proto_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count_cb(void *arg, const struct group *g)
{
	*(uint64_t *)arg += g->count;
	if (g->nframes > GDUMP_FRAMES_MAX || g->nlabels > GDUMP_LABELS_MAX || g->count == 0)
		abort();
}

static void check_sums(struct str text)
{
	uint64_t given = 0;
	struct gdump_sink sink = {.group = count_cb, .arg = &given};
	struct gdump *g = gdump_new(&sink);
	const struct gdump_stats *s = gdump_stats(g);

	gdump_feed(g, text.p, text.len);
	if (gdump_finish(g, NULL) == 0 && (s->format != GDUMP_PROTO || s->parsed != given ||
						  s->announced != given || s->lost))
		abort();
	if (s->format != GDUMP_PROTO)
		abort();
	gdump_free(g);
}

static void expect(struct str text, size_t piece, const struct buf *want)
{
	struct buf got = BUF_INIT;

	render_dump(&got, text, piece);
	if (!str_eq(buf_str(&got), buf_str(want)))
		abort();
	buf_release(&got);
}

/* The bytes as the fields of a profile whose first one makes it known as such. */
static void check_fields(const uint8_t *data, size_t size)
{
	size_t pieces[] = {1, 3 + (size ? data[size / 2] : 0), size / 2 + 1};
	struct buf text = BUF_INIT, whole = BUF_INIT, small = BUF_INIT;

	proto_pair(&text, 1, 1, 2);
	buf_add(&text, (const char *)data, size);
	render_dump(&whole, buf_str(&text), 0);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
		expect(buf_str(&text), pieces[i], &whole);
	proto_gzip(buf_str(&text), &small);
	expect(buf_str(&small), 0, &whole);
	expect(buf_str(&small), 7, &whole);
	check_sums(buf_str(&text));
	buf_release(&text);
	buf_release(&whole);
	buf_release(&small);
}

/* ---- a profile made from bytes ----------------------------------------------------------------
 */
enum { FUNCTIONS = 16 };

/* String 1 and 2 are the type, then two for each function, then a key and a value. */
static void add_strings(struct buf *b)
{
	proto_bytes(b, 6, STR(""));
	proto_bytes(b, 6, STR("goroutine"));
	proto_bytes(b, 6, STR("count"));
	for (unsigned i = 0; i < FUNCTIONS; i++) {
		char name[32];

		snprintf(name, sizeof(name), "main.f%u", i);
		proto_bytes(b, 6, str_of(name));
		snprintf(name, sizeof(name), "/src/f%u.go", i);
		proto_bytes(b, 6, str_of(name));
	}
	proto_bytes(b, 6, STR("key"));
	proto_bytes(b, 6, STR("value"));
}

/* Location n is function n at line n, inlined into function n + 1 when `inlined`. */
static void add_tables(struct buf *b, bool inlined, unsigned id_step)
{
	for (unsigned i = 0; i < FUNCTIONS; i++) {
		struct buf m = BUF_INIT;

		proto_number(&m, 1, i * id_step + 1);
		proto_number(&m, 3, 0x1000 + i);
		proto_pair(&m, 4, i + 1, i);
		if (inlined)
			proto_pair(&m, 4, (i + 1) % FUNCTIONS + 1, i + 100);
		proto_bytes(b, 4, buf_str(&m));
		buf_reset(&m);
		proto_number(&m, 1, i + 1);
		proto_number(&m, 2, 3 + 2 * i);
		proto_number(&m, 4, 4 + 2 * i);
		proto_bytes(b, 5, buf_str(&m));
		buf_release(&m);
	}
}

static void add_seen(struct buf *seen, unsigned function, unsigned line)
{
	buf_addf(seen, " main.f%u /src/f%u.go:%u;", function, function, line);
}

/*
 * A sample of the next bytes: how many frames (never as many as the depth limit), how many
 * goroutines, which functions.
 */
static size_t add_sample(struct buf *b, struct buf *seen, const uint8_t *p, size_t n, bool inlined,
	unsigned id_step, uint64_t *sum)
{
	struct buf m = BUF_INIT, packed = BUF_INIT;
	size_t frames = MIN((size_t)p[0] % 16, n - 2);
	bool label = p[1] & 128;

	*sum += p[1] + 1u;
	buf_addf(seen, "#0 [] 0m%s%s", frames ? "" : " unstarted", label ? " {key=value}" : "");
	for (size_t i = 0; i < frames; i++) {
		unsigned f = p[2 + i] % FUNCTIONS;

		add_seen(seen, f, f);
		if (inlined)
			add_seen(seen, (f + 1) % FUNCTIONS, f + 100);
		if (p[1] & 64)
			proto_number(
				&m, 1, f * id_step + 1); /* one field each, as old writers did */
		else
			proto_varint(&packed, f * id_step + 1);
	}
	buf_addc(seen, '\n');
	if (packed.len)
		proto_bytes(&m, 1, buf_str(&packed));
	proto_number(&m, 2, p[1] + 1u);
	if (label)
		proto_pair(&m, 3, 3 + 2 * FUNCTIONS, 4 + 2 * FUNCTIONS);
	proto_bytes(b, 2, buf_str(&m));
	buf_release(&m);
	buf_release(&packed);
	return frames + 2;
}

static void check_made(const uint8_t *data, size_t size)
{
	struct buf text = BUF_INIT, seen = BUF_INIT, got = BUF_INIT;
	bool inlined = data[0] & 1, tables_first = data[0] & 2;
	unsigned id_step = data[0] & 4 ? 77 : 1;
	uint64_t sum = 0, records = 0;

	proto_pair(&text, 1, 1, 2);
	if (tables_first)
		add_tables(&text, inlined, id_step);
	for (size_t at = 1; at + 2 < size; records++)
		at += add_sample(&text, &seen, data + at, size - at, inlined, id_step, &sum);
	if (!tables_first)
		add_tables(&text, inlined, id_step);
	add_strings(&text);
	render_dump(&got, buf_str(&text), 0);
	buf_addf(&seen,
		"proto announced=%" PRIu64 " parsed=%" PRIu64 " records=%" PRIu64
		" duplicates=0 lost=0 bad=0 lines=0 first=0 \n0 \n",
		sum, sum, records);
	if (!str_eq(buf_str(&got), buf_str(&seen)))
		abort();
	buf_release(&text);
	buf_release(&seen);
	buf_release(&got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_fields(data, size);
	if (size > 4)
		check_made(data, size);
	return 0;
}
