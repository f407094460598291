/* Tables and plots for terminals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "table.h"

#include <math.h>
#include <string.h>

static const struct table_column columns[] = {
	{.title = "NAME", .shrink = true}, {.title = "N", .right = true}, {.title = "LAST"}};

static void writes_aligned_columns(void **state)
{
	struct buf out = BUF_INIT;
	struct table t;

	(void)state;
	table_init(&t, columns, 3);
	table_add(&t, STR("a"));
	table_addf(&t, "%d", 1204);
	table_add(&t, STR("x"));
	table_add(&t, STR("größer")); /* as wide as it looks */
	table_addf(&t, "%d", 7);
	table_add(&t, STR("")); /* no spaces at the end of its line */
	assert_int_equal(table_rows(&t), 2);
	table_write(&t, 0, &out);
	assert_string_equal(out.p, "NAME       N  LAST\n"
				   "a       1204  x\n"
				   "größer     7\n");
	table_release(&t);
	buf_release(&out);
}

static void shrinks_one_column_to_fit(void **state)
{
	struct buf out = BUF_INIT;
	struct table t;

	(void)state;
	table_init(&t, columns, 3);
	table_add(&t, STR("a name of thirty characters..."));
	table_add(&t, STR("5"));
	table_add(&t, STR("kept whole"));
	table_write(&t, 32, &out);
	assert_string_equal(out.p, "NAME               N  LAST\n"
				   "a name of thirty…  5  kept whole\n");
	buf_reset(&out);
	table_write(&t, 5, &out); /* not below what can be read */
	assert_string_equal(out.p, "NAME          N  LAST\n"
				   "a name of t…  5  kept whole\n");
	table_release(&t);
	buf_release(&out);
}

/* Names come from outside: nothing in them moves the cursor or begins a line. */
static void makes_cells_safe(void **state)
{
	struct buf out = BUF_INIT;
	struct table t;

	(void)state;
	table_init(&t, columns, 1);
	table_add(&t, STR("\033[2J%s%n\n\xff"));
	table_write(&t, 0, &out);
	assert_string_equal(out.p, "NAME\n\\x1b[2J%s%n\\n\\xff\n");
	table_release(&t);
	buf_release(&out);
}

static void plots_values(void **state)
{
	static const struct {
		const char *what, *expected;
		double values[8];
		size_t n;
	} rows[] = {
		{"a rise, one dot a value", "       3 ⠀⠌\n       0 ⡐⠀\n", {0, 1, 2, 3}, 4},
		{"flat: one line", "       5 ⠀⠀\n       5 ⣀⣀\n", {5, 5, 5, 5}, 4},
		{"a gap stays a gap", "       3 ⠀⠀\n       3 ⡀⢀\n", {3, NAN, NAN, 3}, 4},
	};
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_reset(&out);
		table_plot(rows[i].values, rows[i].n, 2, 2, &out);
		print_message("%s\n%s", rows[i].what, out.p);
		assert_string_equal(out.p, rows[i].expected);
	}
	buf_reset(&out);
	table_plot((const double[]){NAN, NAN}, 2, 2, 2, &out);
	assert_int_equal(out.len, 0);
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_aligned_columns),
		cmocka_unit_test(shrinks_one_column_to_fit),
		cmocka_unit_test(makes_cells_safe),
		cmocka_unit_test(plots_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
