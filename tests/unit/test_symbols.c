#include "symbols.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

/* As Go 1.27 prints it: a receive, a send, IO (told by its frame), and one that runs. */
static const char body[] = "goroutine profile: total 5\n"
			   "2 @ 0x10 0x20 0x30 0x40\n#\t0x3f\tmain.recv+0x1\t/r.go:1\n\n"
			   "1 @ 0x10 0x21 0x31\n#\t0x30\tmain.send+0x1\t/s.go:1\n\n"
			   "1 @ 0x51 0x32\n#\t0x31\tmain.runs+0x1\t/s.go:1\n\n"
			   "1 @ 0x33\n#\t0x32\tmain.busy+0x1\t/s.go:1\n\n";

static void hidden_addresses_are_asked_for_once(void **state)
{
	struct symbols *s = symbols_new();
	struct buf query = BUF_INIT;

	(void)state;
	assert_false(symbols_query(s, &query));
	symbols_collect(s, str_of(body));
	assert_true(symbols_query(s, &query));
	assert_string_equal(query.p, "0x10+0x20+0x30+0x21+0x51");
	buf_release(&query);
	symbols_free(s);
	symbols_free(NULL);
}

static void answers_name_what_is_waited_for(void **state)
{
	static const uint64_t recv[] = {0x10, 0x20, 0x30}, send[] = {0x10, 0x21}, runs[] = {0x51},
			      unknown[] = {0x99};
	struct symbols *s = symbols_new();

	(void)state;
	symbols_collect(s, str_of(body));
	assert_int_equal(symbols_wait(s, recv, 3), WAIT_UNKNOWN); /* not answered yet */
	symbols_answer(s, STR("num_symbols: 1\n"
			      "0x10 runtime.gopark\n0x20 runtime.chanrecv\n0x30 "
			      "runtime.chanrecv1\r\n"
			      "0x21 runtime.chansend\n0x51 runtime.asyncPreempt2\n"
			      "0x77 runtime.selectgo\n" /* nobody asked */
			      "0x21 runtime.selectgo\n" /* the first answer holds */
			      "0xzz nonsense\n0x\n \n"
			      "0x11111111111111111111 too.long\n"));
	assert_int_equal(symbols_wait(s, recv, 3), WAIT_CHAN_RECEIVE);
	assert_int_equal(symbols_wait(s, send, 2), WAIT_CHAN_SEND);
	assert_int_equal(symbols_wait(s, runs, 1), WAIT_NONE);
	assert_int_equal(symbols_wait(s, unknown, 1), WAIT_UNKNOWN);
	assert_int_equal(symbols_wait(s, NULL, 0), WAIT_UNKNOWN);
	symbols_free(s);
}

/* A body that never repeats an address does not make an endless request. */
static void requests_are_limited(void **state)
{
	struct symbols *s = symbols_new();
	struct buf text = BUF_INIT, query = BUF_INIT;
	size_t asked = 1;

	(void)state;
	buf_addf(&text, "goroutine profile: total %d\n", SYMBOLS_MAX * 2);
	for (int i = 0; i < SYMBOLS_MAX * 2; i++)
		buf_addf(&text, "1 @ 0x%x 0x10\n#\t0xf\tmain.f+0x1\t/f.go:1\n\n", 0x1000 + i);
	symbols_collect(s, buf_str(&text));
	symbols_query(s, &query);
	for (size_t i = 0; i < query.len; i++)
		asked += query.p[i] == '+';
	assert_int_equal(asked, SYMBOLS_MAX);
	buf_release(&query);
	buf_release(&text);
	symbols_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hidden_addresses_are_asked_for_once),
		cmocka_unit_test(answers_name_what_is_waited_for),
		cmocka_unit_test(requests_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
