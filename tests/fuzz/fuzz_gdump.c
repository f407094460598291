/*
 * Any bytes as a goroutine dump: no crash, the same result however the body is cut and with either
 * kind of line end, and statistics that add up, also when the caller knows some records already.
 */
#include "../damage.h"
#include "../gdump_render.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct tally {
	uint64_t asked, given;
};

/* Every other key is known. */
static bool known_cb(void *arg, uint64_t key, uint64_t count)
{
	struct tally *t = arg;

	if (key & 1)
		t->asked += count;
	return key & 1;
}

static void group_cb(void *arg, const struct group *g)
{
	struct tally *t = arg;

	t->given += g->count;
	if (g->nframes > GDUMP_FRAMES_MAX || g->nlabels > GDUMP_LABELS_MAX)
		abort();
}

static void check_sums(struct str text)
{
	struct tally t = {.asked = 0};
	struct gdump_sink sink = {.known = known_cb, .group = group_cb, .arg = &t};
	struct gdump *g = gdump_new(&sink);
	const struct gdump_stats *s = gdump_stats(g);

	for (int round = 0; round < 2; round++) { /* the second one after a reset */
		t = (struct tally){.asked = 0};
		gdump_feed(g, text.p, text.len);
		gdump_finish(g, NULL);
		if (s->parsed != t.asked + t.given || s->bytes != text.len ||
			s->bad_lines > s->lines + s->records ||
			strlen(s->first_bad) >= sizeof(s->first_bad))
			abort();
		gdump_reset(g);
	}
	gdump_free(g);
}

/* A CR keeps a line from the parser's short way. */
static void check_crlf(struct str text, struct str rendered)
{
	struct buf with = BUF_INIT, b = BUF_INIT;
	bool binary = text.len > 2 && strchr("\x1f\x0a\x5a", text.p[0]);

	if (!binary && str_ends(text, STR("\n")) && str_chr(text, '\r') < 0) {
		damage_crlf(text, &with);
		render_dump(&b, buf_str(&with), 0);
		if (!str_eq(buf_str(&b), rendered))
			abort();
	}
	buf_release(&with);
	buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_n((const char *)data, size);
	size_t pieces[] = {1, 2, 3 + (size ? data[size / 2] : 0), size / 2 + 1};
	struct buf whole = BUF_INIT, cut = BUF_INIT;
	int rc;

	rc = render_dump(&whole, text, 0);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		buf_reset(&cut);
		render_dump(&cut, text, pieces[i]);
		if (!str_eq(buf_str(&whole), buf_str(&cut)))
			abort();
	}
	if (rc == 0)
		check_crlf(text, buf_str(&whole));
	check_sums(text);
	buf_release(&whole);
	buf_release(&cut);
	return 0;
}
