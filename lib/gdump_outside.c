#include "gdump_outside.h"
#include "gdump_frame.h"

#include <string.h>

/* "rax    0x0": a line of the register dump after a crash. */
static bool is_register(struct str line)
{
	size_t n = 0;

	while (n < line.len && n < 7 &&
		((line.p[n] >= 'a' && line.p[n] <= 'z') ||
			(n && line.p[n] >= '0' && line.p[n] <= '9')))
		n++;
	return n >= 1 && n < 7 && n < line.len && line.p[n] == ' ' &&
	       gdump_is_hex(str_trim(str_from(line, n)));
}

bool gdump_is_crash_line(struct str line)
{
	static const struct str begins[] = {
		STR_LIT("PC=0x"),
		STR_LIT("[signal "),
		STR_LIT("[recovered]"),
		STR_LIT("\tpanic: "),
		STR_LIT("panic: "),
		STR_LIT("panic during panic"),
		STR_LIT("fatal error: "),
		STR_LIT("unexpected fault address"),
		STR_LIT("signal arrived during cgo"),
		STR_LIT("runtime: "),
		STR_LIT("runtime stack:"),
		STR_LIT("exit status "),
		STR_LIT("FAIL"),
		STR_LIT("-----"),
	};

	if (line.len > 5 && str_starts(line, STR("SIG")) && line.p[3] >= 'A' && line.p[3] <= 'Z')
		return str_find(line, STR(": ")) > 0;
	for (size_t i = 0; i < ARRAY_LEN(begins); i++) {
		if (str_starts(line, begins[i]))
			return true;
	}
	return is_register(line);
}

/* Frames before the first header: the beginning was cut off, and with it a goroutine's header. */
static void look_for_headless(struct gdump *g, struct str line)
{
	struct frame f;

	if (g->function_before && !g->headless && line.p[0] == '\t' &&
		str_find(line, STR(" +0x")) > 0 && gdump_parse_file(line, false, &f)) {
		g->headless = true;
		g->stats.lost++;
		gdump_bad_line(g, (uint32_t)g->stats.lines,
			"the beginning is cut off: a stack without its header", line);
	}
	g->function_before = line.p[line.len - 1] == ')' && str_chr(line, '(') > 0;
}

/* A line outside of every record: framing of a crash, text before the dump, or damage. */
static void other_line(struct gdump *g, struct str line)
{
	bool begun = g->stats.format != GDUMP_UNKNOWN;
	uint32_t number = (uint32_t)g->stats.lines;

	if (gdump_is_crash_line(line)) {
		gdump_split_crash(g, line);
		g->crash = true;
		g->runtime_stack = str_starts(line, STR("runtime stack:"));
		if (g->stats.format == GDUMP_DEBUG2)
			g->stats.format = GDUMP_CRASH;
		return;
	}
	if (g->runtime_stack || str_ends(line, STR(" goroutine stack dump ==="))) /* Docker's */
		return;
	if (begun) {
		gdump_split_outside(g);
		gdump_bad_line(g, number, "not part of a goroutine dump", line);
		return;
	}
	look_for_headless(g, line);
	if (!g->header_inside && str_find(line, STR("goroutine ")) >= 0)
		g->header_inside = str_find(line, STR(" [")) >= 0;
}

static void begin_goroutine(struct gdump *g, const struct goroutine_header *h, struct str text)
{
	gdump_split_goroutine(g, h);
	g->crash |= h->gp || h->id == 0;
	if (g->stats.format == GDUMP_UNKNOWN || g->stats.format == GDUMP_DEBUG2)
		g->stats.format = g->crash ? GDUMP_CRASH : GDUMP_DEBUG2;
	gdump_begin_record(g, RECORD_GOROUTINE, text.p, text.len);
	g->header = *h;
}

bool gdump_is_lost_header(struct str line)
{
	size_t n = strlen("goroutine ");

	if (!str_starts(line, STR("goroutine ")))
		return false;
	while (n < line.len && line.p[n] >= '0' && line.p[n] <= '9')
		n++;
	return n > strlen("goroutine ") && str_starts(str_from(line, n), STR(" ["));
}

static bool take_profile_header(struct gdump *g, struct str line)
{
	struct str name;
	uint64_t total;

	if (!gdump_profile_header(line, &name, &total))
		return false;
	gdump_split_profile(g);
	if (g->stats.format == GDUMP_UNKNOWN) {
		g->stats.format = str_is(name, "goroutine")	  ? GDUMP_DEBUG1
				  : str_is(name, "goroutineleak") ? GDUMP_LEAK
								  : GDUMP_COUNT;
	}
	if (g->stats.format == GDUMP_COUNT)
		received_excerpt(name, g->stats.profile, sizeof(g->stats.profile));
	g->profile_seen = true;
	g->stats.announced += total;
	return true;
}

/* debug=1 from the middle on: nothing tells how many goroutines there should be. */
static void take_headless_profile(struct gdump *g, struct str line)
{
	g->stats.format = GDUMP_DEBUG1;
	gdump_bad_line(g, (uint32_t)g->stats.lines,
		"the beginning is cut off: no line with the total before", line);
}

void gdump_outside_line(struct gdump *g, struct str text)
{
	struct str line = text;
	struct goroutine_header h;

	if (g->stats.lines == 1 && str_starts(line, STR("\xef\xbb\xbf")))
		line = text = str_from(line, 3);
	if (line.len && line.p[line.len - 1] == '\n')
		line.len--;
	line = gdump_no_cr(line);
	if (line.len == 0) {
		g->runtime_stack = false;
	} else if (line.p[0] == 'g' && gdump_parse_header(line, &h)) {
		begin_goroutine(g, &h, text);
	} else if (gdump_is_count_head(line, !g->profile_seen)) {
		if (g->stats.format == GDUMP_UNKNOWN)
			take_headless_profile(g, line);
		gdump_begin_record(g, RECORD_COUNT, text.p, text.len);
	} else if (gdump_is_lost_header(line)) {
		g->stats.lost++;
		gdump_bad_line(g, (uint32_t)g->stats.lines, "not a whole goroutine header", line);
	} else if (!take_profile_header(g, line)) {
		other_line(g, line);
	}
}
