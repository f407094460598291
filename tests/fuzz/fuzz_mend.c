/*
 * Any bytes through mend: no crash, the same output however the input is cut, and a dump behind a
 * prefix has as many goroutines as it has without.
 */
#include "../damage.h"
#include "../gdump_render.h"
#include "mend.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void keep_cb(void *arg, const char *p, size_t n, uint32_t line)
{
	if (line == 0)
		abort();
	buf_add(arg, p, n);
}

static int mend_all(struct str text, size_t piece, struct buf *out)
{
	const struct mend_sink sink = {.out = keep_cb, .arg = out};
	struct mend *m = mend_new(&sink);
	int rc;

	for (size_t at = 0; at < text.len; at += piece ? piece : text.len) {
		struct str s = str_sub(text, at, piece ? at + piece : text.len);

		mend_feed(m, s.p, s.len);
	}
	rc = mend_finish(m, NULL);
	mend_free(m);
	return rc;
}

static uint64_t count(struct str text)
{
	const struct gdump_sink sink = {.group = NULL};
	struct gdump *g = gdump_new(&sink);
	uint64_t n;

	gdump_feed(g, text.p, text.len);
	gdump_finish(g, NULL);
	n = gdump_stats(g)->parsed + gdump_stats(g)->duplicates;
	gdump_free(g);
	return n;
}

/* Goroutines of any number and state; what a fuzzer chooses may not fake a prefix of its own. */
static void check_prefix(const uint8_t *data, size_t size)
{
	static damage_fn *const damages[] = {damage_journald, damage_kubectl, damage_compose,
		damage_quoted, damage_indented, damage_cri, damage_docker, damage_others,
		damage_journal_json};
	static const char *const names[] = {"main.f", "net/http.(*conn).serve", "a.b.func1"};
	struct buf text = BUF_INIT, damaged = BUF_INIT, mended = BUF_INIT;

	for (size_t i = 1; i < size && i < 40; i++) {
		buf_addf(&text, "goroutine %zu [select, %u minutes]:\n", i, data[i] + 1u);
		for (unsigned k = 0; k < data[i] % 4 + 1u; k++)
			buf_addf(&text, "%s(0x%x)\n\t/src/f.go:%u +0x%x\n",
				names[(data[i] + k) % 3], data[i], k + 1, data[i] * 7u);
		if (data[i] & 64)
			buf_adds(
				&text, "created by main.main in goroutine 1\n\t/src/m.go:7 +0x5\n");
		buf_addc(&text, '\n');
	}
	if (size > 1) {
		damages[data[0] % ARRAY_LEN(damages)](buf_str(&text), &damaged);
		mend_all(buf_str(&damaged), 0, &mended);
		if (count(buf_str(&mended)) != count(buf_str(&text)))
			abort();
	}
	buf_release(&text);
	buf_release(&damaged);
	buf_release(&mended);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_n((const char *)data, size);
	size_t pieces[] = {1, 2, 3 + (size ? data[size / 2] : 0), size / 2 + 1};
	struct buf whole = BUF_INIT, cut = BUF_INIT;
	bool binary;
	int rc;

	rc = mend_all(text, 0, &whole);
	binary = whole.len > 2 && memcmp(whole.p, "\x1f\x8b", 2) == 0;
	for (size_t i = 0; i < ARRAY_LEN(pieces) && !binary; i++) {
		buf_reset(&cut);
		if (mend_all(text, pieces[i], &cut) != rc ||
			!str_eq(buf_str(&whole), buf_str(&cut)))
			abort();
	}
	check_prefix(data, size);
	buf_release(&whole);
	buf_release(&cut);
	return 0;
}
