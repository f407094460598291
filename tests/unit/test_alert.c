/*
 * The state machine of alerts, their identity, and what outsiders can put into their labels.
 */
#include "alert.h"
#include "xalloc.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S    1000 /* a second, in milliseconds */
#define MIN_ (60 * S)
#define T0   1700000000000 /* an ordinary time, so that 0 stays "not yet" */

static const struct label who[] = {
	{STR_LIT("job"), STR_LIT("shop")},
	{STR_LIT("instance"), STR_LIT("127.0.0.1:6060")},
	{STR_LIT("class"), STR_LIT("http-client-conn")},
};
static const struct alert_labels no_annotations = ALERT_LABELS_INIT;

/* ---- the state machine, as scripts ----------------------------------------------------------- */

enum op { END, RAISE, CLEAR, REMOVE, CHANGE, TICK, SET };

struct step {
	enum op op;
	int64_t at; /* after T0, on the monotonic clock; of SET: by how much the wall clock is set
		     */
};

struct script {
	const char *name;
	uint64_t for_ms, keep_ms;
	struct step steps[10];
	const char *want; /* what was told: "old>new@seconds …" */
};

static const struct script scripts[] = {
	{"a leak fires at once and resolves when it has been gone for keep_firing_for", 0,
		15 * MIN_,
		{{RAISE, 0}, {TICK, 1 * S}, {CLEAR, 60 * S}, {TICK, 959 * S}, {TICK, 960 * S}},
		"inactive>firing@0 firing>resolved@960 "},
	{"with keep_firing_for 0 it resolves when the condition ends", 0, 0,
		{{RAISE, 0}, {CLEAR, 60 * S}, {TICK, 61 * S}},
		"inactive>firing@0 firing>resolved@60 "},
	{"a condition that comes back while it lingers is the same alert: nothing is told", 0,
		15 * MIN_,
		{{RAISE, 0}, {CLEAR, 60 * S}, {RAISE, 300 * S}, {TICK, 970 * S}, {CLEAR, 1000 * S},
			{TICK, 1899 * S}, {TICK, 1900 * S}},
		"inactive>firing@0 firing>resolved@1900 "},
	{"for: pending first, firing when it has held that long", 3 * MIN_, 0,
		{{RAISE, 0}, {TICK, 179 * S}, {RAISE, 179 * S}, {TICK, 180 * S}},
		"inactive>pending@0 pending>firing@180 "},
	{"what ends while it is pending was nothing", 3 * MIN_, 15 * MIN_,
		{{RAISE, 0}, {CLEAR, 100 * S}, {TICK, 200 * S}, {TICK, 2000 * S}},
		"inactive>pending@0 pending>inactive@100 "},
	{"for begins anew after that", 3 * MIN_, 0,
		{{RAISE, 0}, {CLEAR, 100 * S}, {RAISE, 110 * S}, {TICK, 180 * S}, {TICK, 290 * S}},
		"inactive>pending@0 pending>inactive@100 inactive>pending@110 pending>firing@290 "},
	{"silence (target down, restart) neither resolves nor raises", 0, 15 * MIN_,
		{{RAISE, 0}, {TICK, 3600 * S}, {TICK, 86400 * S}}, "inactive>firing@0 "},
	{"a target that left discovery: 15 minutes, also with keep_firing_for 0", 0, 0,
		{{RAISE, 0}, {REMOVE, 60 * S}, {TICK, 959 * S}, {TICK, 960 * S}},
		"inactive>firing@0 firing>resolved@960 "},
	{"a rule that is gone: at once, whatever keep_firing_for is", 0, 15 * MIN_,
		{{RAISE, 0}, {CHANGE, 60 * S}}, "inactive>firing@0 firing>resolved@60 "},
	{"a rule that goes while the alert lingers ends it", 0, 15 * MIN_,
		{{RAISE, 0}, {CLEAR, 60 * S}, {CHANGE, 70 * S}},
		"inactive>firing@0 firing>resolved@70 "},
	{"a second end that would come later does not prolong the first", 0, 5 * MIN_,
		{{RAISE, 0}, {CLEAR, 60 * S}, {REMOVE, 70 * S}, {CLEAR, 200 * S}, {TICK, 360 * S}},
		"inactive>firing@0 firing>resolved@360 "},
	{"begun in what is the future at the start: the whole wait from the start on, not more",
		3 * MIN_, 0, {{RAISE, 1000 * S}, {TICK, 100 * S}, {TICK, 279 * S}, {TICK, 280 * S}},
		"inactive>pending@1000 pending>firing@280 "},
	{"the same while it lingers", 0, 15 * MIN_,
		{{RAISE, 0}, {CLEAR, 5000 * S}, {TICK, 1000 * S}, {TICK, 1899 * S},
			{TICK, 1900 * S}},
		"inactive>firing@0 firing>resolved@1900 "},
	{"the clock set an hour forward while it is pending: not early", 3 * MIN_, 0,
		{{TICK, 0}, {RAISE, 1 * S}, {TICK, 1 * S}, {SET, 3600 * S}, {TICK, 60 * S},
			{TICK, 180 * S}, {TICK, 181 * S}},
		"inactive>pending@1 pending>firing@3781 "},
	{"an hour back: not late", 3 * MIN_, 0,
		{{TICK, 0}, {RAISE, 1 * S}, {TICK, 1 * S}, {SET, -3600 * S}, {TICK, 60 * S},
			{TICK, 180 * S}, {TICK, 181 * S}},
		"inactive>pending@1 pending>firing@-3419 "},
	{"forward and back again", 3 * MIN_, 0,
		{{TICK, 0}, {RAISE, 0}, {SET, 3600 * S}, {TICK, 1 * S}, {SET, -3600 * S},
			{TICK, 179 * S}, {TICK, 181 * S}},
		"inactive>pending@0 pending>firing@181 "},
	{"forward while it lingers", 0, 15 * MIN_,
		{{RAISE, 0}, {TICK, 0}, {CLEAR, 60 * S}, {TICK, 60 * S}, {SET, 3600 * S},
			{TICK, 61 * S}, {TICK, 959 * S}, {TICK, 960 * S}},
		"inactive>firing@0 firing>resolved@4560 "},
	{"back while it lingers", 0, 15 * MIN_,
		{{RAISE, 0}, {TICK, 0}, {CLEAR, 60 * S}, {TICK, 60 * S}, {SET, -3600 * S},
			{TICK, 61 * S}, {TICK, 959 * S}, {TICK, 960 * S}},
		"inactive>firing@0 firing>resolved@-2640 "},
	{"ended with a time that was read before the clock was set back", 0, 15 * MIN_,
		{{RAISE, 0}, {TICK, 59 * S}, {CLEAR, 60 * S}, {SET, -3600 * S}, {TICK, 61 * S},
			{TICK, 960 * S}, {TICK, 961 * S}},
		"inactive>firing@0 firing>resolved@-2639 "},
	{"raised with a time that was read before it was set forward", 3 * MIN_, 0,
		{{TICK, 59 * S}, {RAISE, 60 * S}, {SET, 3600 * S}, {TICK, 61 * S}, {TICK, 238 * S},
			{TICK, 239 * S}},
		"inactive>pending@60 pending>firing@3839 "},
	{"a resolved alert that comes back is a new one", 0, 0,
		{{RAISE, 0}, {CLEAR, 10 * S}, {RAISE, 20 * S}, {CLEAR, 30 * S}},
		"inactive>firing@0 firing>resolved@10 inactive>firing@20 firing>resolved@30 "},
	{"clearing what does not stand does nothing", 0, 0, {{CLEAR, 10 * S}, {TICK, 20 * S}}, ""},
};

struct told {
	struct buf text;
	char ids[8][ALERT_ID_MAX];
	unsigned changes[8];
	size_t n;
	char reason[ALERT_REASON_MAX];
};

static void told_cb(void *arg, const struct alert *a, enum alert_state old, const char *why)
{
	struct told *told = arg;

	buf_addf(&told->text, "%s>%s@%" PRId64 " ", alert_state_name(old),
		alert_state_name(a->state), (a->changed_ms - T0) / S);
	snprintf(told->ids[told->n % 8], ALERT_ID_MAX, "%s", a->id);
	told->changes[told->n++ % 8] = a->change;
	snprintf(told->reason, sizeof(told->reason), "%s", why);
}

static int64_t set_ms; /* the wall clock, by SET */

static void tick(struct alert_table *t, int64_t now)
{
	alert_tick(t, now + set_ms, (uint64_t)now);
}

static void take_step(struct alert_table *t, const struct step *s)
{
	const struct alert *a = alert_find(t, ALERT_GOROUTINE_LEAK, who, ARRAY_LEN(who));
	const char *id = a ? a->id : "0000000000000000";
	int64_t now = T0 + s->at + set_ms;

	if (s->op == SET)
		set_ms += s->at;
	else if (s->op == RAISE)
		assert_non_null(alert_raise(t, ALERT_GOROUTINE_LEAK, who, ARRAY_LEN(who),
			&no_annotations, "grows", now, NULL));
	else if (s->op == TICK)
		tick(t, T0 + s->at);
	else
		assert_true(alert_clear(t, id, ALERT_END_CLEARED + (s->op - CLEAR), "over", now) ||
			    !a || !a->holds);
}

static void test_scripts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		const struct script *s = &scripts[i];
		struct alert_rule rule = alert_rule_defaults[ALERT_GOROUTINE_LEAK];
		struct told told = {.text = BUF_INIT};
		struct alert_table *t = alert_table_new(told_cb, &told);

		rule.for_ms = s->for_ms;
		rule.keep_firing_ms = s->keep_ms;
		alert_table_rule(t, ALERT_GOROUTINE_LEAK, &rule);
		set_ms = 0;
		for (const struct step *st = s->steps; st->op; st++)
			take_step(t, st);
		set_ms = 0;
		if (strcmp(told.text.p, s->want) != 0)
			fail_msg("%s:\ntold %s\nnot  %s", s->name, told.text.p, s->want);
		alert_table_free(t);
		buf_release(&told.text);
	}
}

/* The timer asks when to come back; ticking then, and not a moment sooner, does the work. */
static void test_next(void **state)
{
	struct told told = {.text = BUF_INIT};
	struct alert_table *t = alert_table_new(told_cb, &told);
	const struct alert *down;

	(void)state;
	assert_true(alert_next_ms(t) == INT64_MAX);
	down = alert_raise(t, ALERT_TARGET_DOWN, who, 2, &no_annotations, "refused", T0, NULL);
	assert_true(alert_next_ms(t) == T0 + 3 * MIN_);
	tick(t, T0 + 3 * MIN_ - 1);
	assert_int_equal(alert_count(t, ALERT_PENDING), 1);
	tick(t, T0 + 3 * MIN_);
	assert_int_equal(alert_count(t, ALERT_FIRING), 1);
	assert_int_equal(alert_count(t, ALERT_PENDING), 0);
	assert_true(alert_next_ms(t) == INT64_MAX);
	alert_clear(t, down->id, ALERT_END_CLEARED, "it answers", T0 + 4 * MIN_);
	assert_true(alert_next_ms(t) == T0 + 19 * MIN_);
	tick(t, T0 + 19 * MIN_);
	assert_int_equal(alert_count(t, ALERT_FIRING), 0);
	assert_string_equal(told.reason, "it answers");
	alert_table_free(t);
	buf_release(&told.text);
}

/* ---- identity -------------------------------------------------------------------------------- */

static void test_identity(void **state)
{
	static const struct label turned[] = {
		{STR_LIT("class"), STR_LIT("http-client-conn")},
		{STR_LIT("instance"), STR_LIT("127.0.0.1:6060")},
		{STR_LIT("job"), STR_LIT("shop")},
		{STR_LIT("job"), STR_LIT("second of its name: not taken")},
		{STR_LIT("alertname"), STR_LIT("Forged")},
		{STR_LIT("severity"), STR_LIT("none")},
	};
	static const struct label team = {STR_LIT("team"), STR_LIT("blue")};
	struct alert_rule rule = alert_rule_defaults[ALERT_GOROUTINE_LEAK];
	struct told told = {.text = BUF_INIT};
	struct alert_table *t = alert_table_new(told_cb, &told);
	const struct alert *a, *b;
	struct buf text = BUF_INIT;

	(void)state;
	a = alert_raise(
		t, ALERT_GOROUTINE_LEAK, who, ARRAY_LEN(who), &no_annotations, "", T0, NULL);
	/* order does not matter, nor what the caller says of alertname and severity */
	b = alert_raise(t, ALERT_GOROUTINE_LEAK, turned, ARRAY_LEN(turned), &no_annotations, "",
		T0 + S, NULL);
	assert_ptr_equal(a, b);
	alert_labels_text(&a->labels, &text);
	assert_string_equal(text.p, "{alertname=\"GoroutineLeak\",class=\"http-client-conn\","
				    "instance=\"127.0.0.1:6060\",job=\"shop\",severity=\"page\"}");
	assert_string_equal(a->key, "{alertname=\"GoroutineLeak\",class=\"http-client-conn\","
				    "instance=\"127.0.0.1:6060\",job=\"shop\"}");
	/* a rule that changes does not make another alert of a standing one, nor change its labels
	 */
	rule.severity = "warning";
	rule.labels = &team;
	rule.nlabels = 1;
	alert_table_rule(t, ALERT_GOROUTINE_LEAK, &rule);
	b = alert_raise(t, ALERT_GOROUTINE_LEAK, who, ARRAY_LEN(who), &no_annotations, "",
		T0 + 2 * S, NULL);
	assert_ptr_equal(a, b);
	assert_true(str_is(alert_labels_get(&b->labels, "severity"), "page"));
	/* the next life has the new ones, and another id */
	alert_clear(t, a->id, ALERT_END_CHANGED, "", T0 + 3 * S);
	b = alert_raise(t, ALERT_GOROUTINE_LEAK, who, ARRAY_LEN(who), &no_annotations, "",
		T0 + 4 * S, NULL);
	assert_true(str_is(alert_labels_get(&b->labels, "severity"), "warning"));
	assert_true(str_is(alert_labels_get(&b->labels, "team"), "blue"));
	assert_string_equal(told.ids[0], told.ids[1]);
	assert_string_not_equal(told.ids[0], told.ids[2]);
	assert_int_equal(told.changes[0], 1);
	assert_int_equal(told.changes[1], 2);
	assert_int_equal(told.changes[2], 1);
	alert_table_free(t);
	buf_release(&told.text);
	buf_release(&text);
}

/* Another name, class or instance is another alert; two in one table do not disturb one another. */
static void test_two_alerts(void **state)
{
	struct label other[ARRAY_LEN(who)];
	struct told told = {.text = BUF_INIT};
	struct alert_table *t = alert_table_new(told_cb, &told);
	const struct alert *a, *b, *c;
	void *at = NULL;

	(void)state;
	memcpy(other, who, sizeof(other));
	other[2].value = STR("main.worker");
	a = alert_raise(t, ALERT_GOROUTINE_LEAK, who, 3, &no_annotations, "", T0, NULL);
	b = alert_raise(t, ALERT_GOROUTINE_LEAK, other, 3, &no_annotations, "", T0, NULL);
	c = alert_raise(t, ALERT_GOROUTINE_LIMIT, who, 3, &no_annotations, "", T0, NULL);
	assert_int_equal(alert_count(t, ALERT_FIRING), 3);
	assert_true(a != b && a != c);
	assert_ptr_equal(alert_get(t, b->id), b);
	assert_ptr_equal(alert_find(t, ALERT_GOROUTINE_LEAK, other, 3), b);
	alert_clear(t, a->id, ALERT_END_CHANGED, "", T0 + S);
	assert_int_equal(alert_count(t, ALERT_FIRING), 2);
	assert_ptr_equal(alert_next(t, &at), b);
	assert_ptr_equal(alert_next(t, &at), c);
	assert_null(alert_next(t, &at));
	alert_table_free(t);
	buf_release(&told.text);
}

/* {{name}}: labels before annotations, once, and what is none stays to be seen. */
static void test_templates(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"plain", "plain"},
		{"{{job}} leaks", "shop leaks"},
		{"{{ job }}/{{instance}}", "shop/{{job}}"}, /* a value is not looked at again */
		{"{{summary}}", "%s grows"},
		{"{{nothing}} {{}} {{", "{{nothing}} {{}} {{"},
		{"{{{job}}}", "{shop}"},
		{"{{job", "{{job"},
		{"", ""},
	};
	struct alert_labels labels = ALERT_LABELS_INIT, notes = ALERT_LABELS_INIT;
	struct buf out = BUF_INIT;

	(void)state;
	alert_labels_put(&labels, STR("job"), STR("shop"));
	alert_labels_put(&labels, STR("instance"), STR("{{job}}"));
	alert_labels_put_text(&notes, STR("job"), STR("not this"));
	alert_labels_put_text(&notes, STR("summary"), STR("%s grows"));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_reset(&out);
		alert_labels_expand(str_of(rows[i].text), &labels, &notes, &out);
		assert_string_equal(out.p, rows[i].want);
	}
	buf_release(&out);
	alert_labels_release(&labels);
	alert_labels_release(&notes);
}

static void test_annotations(void **state)
{
	static const struct label from_rule[] = {
		{STR_LIT("runbook_url"), STR_LIT("https://wiki/leak")},
		{STR_LIT("summary"), STR_LIT("not taken: the alert has one")},
		{STR_LIT("dashboard"), STR_LIT("https://grafana/{{job}}")},
	};
	struct alert_rule rule = alert_rule_defaults[ALERT_GOROUTINE_LEAK];
	struct alert_labels annotations = ALERT_LABELS_INIT;
	struct told told = {.text = BUF_INIT};
	struct alert_table *t = alert_table_new(told_cb, &told);
	const struct alert *a;

	(void)state;
	rule.annotations = from_rule;
	rule.nannotations = 3;
	alert_table_rule(t, ALERT_GOROUTINE_LEAK, &rule);
	alert_labels_put_text(&annotations, STR("summary"), STR("141 goroutines"));
	a = alert_raise(t, ALERT_GOROUTINE_LEAK, who, 3, &annotations, "", T0, NULL);
	assert_true(str_is(alert_labels_get(&a->annotations, "summary"), "141 goroutines"));
	assert_true(str_is(alert_labels_get(&a->annotations, "runbook_url"), "https://wiki/leak"));
	assert_true(str_is(alert_labels_get(&a->annotations, "dashboard"), "https://grafana/shop"));
	assert_true(alert_annotate(t, a->id, "target", STR("down since 04:05")));
	assert_true(str_is(alert_labels_get(&a->annotations, "target"), "down since 04:05"));
	assert_true(alert_annotate(t, a->id, "target", STR("")));
	assert_false(alert_labels_has(&a->annotations, STR("target")));
	assert_false(alert_annotate(t, "ffff", "target", STR("x")));
	/* nothing but the raising was told */
	assert_string_equal(told.text.p, "inactive>firing@0 ");
	alert_labels_release(&annotations);
	alert_table_free(t);
	buf_release(&told.text);
}

/* ---- the store's side ------------------------------------------------------------------------ */

/* A table saved and loaded in mid-life goes on as if nothing had been. */
static void test_load(void **state)
{
	struct told told = {.text = BUF_INIT};
	struct alert_table *t = alert_table_new(told_cb, &told);
	struct alert_table *u = alert_table_new(told_cb, &told);
	const struct alert *a, *b;
	struct alert bad;
	struct err err = ERR_INIT;

	(void)state;
	a = alert_raise(t, ALERT_GOROUTINE_LEAK, who, 3, &no_annotations, "grows", T0, NULL);
	alert_clear(t, a->id, ALERT_END_CLEARED, "given back", T0 + 60 * S);
	b = alert_raise(t, ALERT_TARGET_DOWN, who, 2, &no_annotations, "", T0 + 70 * S, NULL);
	assert_int_equal(alert_load(u, a, &err), 0);
	assert_int_equal(alert_load(u, b, &err), 0);
	assert_int_equal(alert_load(u, b, &err), -1);
	assert_non_null(strstr(err.msg, "stored twice"));
	bad = *b;
	bad.state = ALERT_RESOLVED;
	assert_int_equal(alert_load(u, &bad, &err), -1);
	bad = *b;
	bad.holds = false;
	assert_int_equal(alert_load(u, &bad, &err), -1);
	bad = *b;
	bad.key = (char *)"";
	assert_int_equal(alert_load(u, &bad, &err), -1);
	bad = *b;
	bad.kind = ALERT_KINDS;
	assert_int_equal(alert_load(u, &bad, &err), -1);
	assert_int_equal(told.n, 2);
	tick(u, T0 + 249 * S);
	assert_int_equal(told.n, 2);
	tick(u, T0 + 250 * S);
	assert_int_equal(told.n, 3);
	tick(u, T0 + 960 * S);
	assert_string_equal(told.text.p,
		"inactive>firing@0 inactive>pending@70 pending>firing@250 firing>resolved@960 ");
	assert_string_equal(told.reason, "given back");
	assert_int_equal(told.changes[3], 2);
	assert_string_equal(told.ids[0], told.ids[3]);
	alert_table_free(t);
	alert_table_free(u);
	buf_release(&told.text);
}

static void ignore_cb(void *arg, const struct alert *a, enum alert_state old, const char *why)
{
	(void)arg, (void)a, (void)old, (void)why;
}

/* Passing the limit is an ordinary error, and leaves the others alone. */
static void test_table_limit(void **state)
{
	struct alert_table *t = alert_table_new(ignore_cb, NULL);
	struct err err = ERR_INIT;
	const struct alert *a = NULL;
	char name[32];

	(void)state;
	for (int i = 0; i <= ALERT_TABLE_MAX; i++) {
		struct label l = {
			STR("class"), {name, (size_t)snprintf(name, sizeof(name), "c%d", i)}};

		a = alert_raise(t, ALERT_GOROUTINE_LEAK, &l, 1, &no_annotations, "", T0, &err);
		if (i < ALERT_TABLE_MAX)
			assert_non_null(a);
	}
	assert_null(a);
	assert_non_null(strstr(err.msg, "50000 alerts already"));
	assert_int_equal(alert_count(t, ALERT_FIRING), ALERT_TABLE_MAX);
	alert_table_free(t);
}

/* ---- what outsiders put into labels ---------------------------------------------------------- */

static void test_label_values(void **state)
{
	static const struct {
		const char *name;
		struct str in;
		const char *want;
	} rows[] = {
		{"an ordinary class", STR_LIT("net/http.(*conn).serve < main.run"),
			"net/http.(*conn).serve < main.run"},
		{"a format string stays what it is", STR_LIT("%s%n%x"), "%s%n%x"},
		{"quotes and backslashes are data here; the writers quote", STR_LIT("a\"b\\c"),
			"a\"b\\c"},
		{"a forged log line", STR_LIT("x\nlevel=error msg=forged"),
			"x\\nlevel=error msg=forged"},
		{"an escape sequence", STR_LIT("\x1b[2Jx"), "\\x1b[2Jx"},
		{"a NUL", STR_LIT("a\0b"), "a\\x00b"},
		{"not UTF-8", STR_LIT("a\xff\xc3"), "a\\xff\\xc3"},
		{"a mark that turns the direction of writing",
			STR_LIT("a\xe2\x80\xae"
				"b"),
			"a\\u202eb"},
		{"other scripts stay", STR_LIT("caf\xc3\xa9"), "caf\xc3\xa9"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct alert_labels l = ALERT_LABELS_INIT;

		assert_true(alert_labels_put(&l, STR("class"), rows[i].in));
		if (!str_is(l.v[0].value, rows[i].want))
			fail_msg("%s: %s", rows[i].name, l.v[0].value.p);
		/* what is safe stays as it is: a value read back is the same value */
		assert_true(alert_labels_put(&l, STR("again"), l.v[0].value));
		assert_true(str_eq(l.v[0].value, l.v[1].value));
		alert_labels_release(&l);
	}
}

static void test_long_values(void **state)
{
	char *big = xmalloc(65536);
	struct alert_labels l = ALERT_LABELS_INIT;

	(void)state;
	memset(big, 'a', 65536);
	alert_labels_put(&l, STR("a"), str_n(big, 200));
	assert_int_equal(alert_labels_get(&l, "a").len, 200);
	assert_int_equal(str_chr(alert_labels_get(&l, "a"), '~'), -1);
	alert_labels_put(&l, STR("b"), str_n(big, 65536));
	assert_int_equal(alert_labels_get(&l, "b").len, 200);
	assert_int_equal(str_chr(alert_labels_get(&l, "b"), '~'), 183);
	/* they differ in the last byte only, and stay different */
	big[65535] = 'b';
	alert_labels_put(&l, STR("c"), str_n(big, 65536));
	assert_false(str_eq(alert_labels_get(&l, "b"), alert_labels_get(&l, "c")));
	/* cut between characters: é is two bytes, and 183 is odd */
	for (size_t i = 0; i < 65536; i += 2)
		memcpy(big + i, "\xc3\xa9", 2);
	alert_labels_put(&l, STR("d"), str_n(big, 65536));
	assert_int_equal(alert_labels_get(&l, "d").len, 199);
	assert_memory_equal(alert_labels_get(&l, "d").p + 180, "\xc3\xa9~", 3);
	/* 64 KiB of control characters, each written as four */
	memset(big, 1, 65536);
	alert_labels_put(&l, STR("e"), str_n(big, 65536));
	assert_int_equal(alert_labels_get(&l, "e").len, 200);
	alert_labels_put_text(&l, STR("f"), str_n(big, 65536));
	assert_int_equal(alert_labels_get(&l, "f").len, ALERT_ANNOTATION_MAX);
	alert_labels_release(&l);
	free(big);
}

static void test_keys_and_text(void **state)
{
	struct alert_labels l = ALERT_LABELS_INIT, m = ALERT_LABELS_INIT;
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	char key[16];

	(void)state;
	alert_labels_put(&l, STR("app.kubernetes.io/name"), STR("shop"));
	alert_labels_put(&l, STR("0day"), STR("x"));
	alert_labels_put(&l, STR(""), STR("y"));
	alert_labels_put_text(&l, STR("stack"), STR("a\n\tb\x1b\n\"c\\"));
	alert_labels_text(&l, &b);
	assert_string_equal(b.p, "{_=\"y\",_0day=\"x\",app_kubernetes_io_name=\"shop\","
				 "stack=\"a\\n\tb\\\\x1b\\n\\\"c\\\\\"}");
	buf_reset(&b);
	alert_labels_json(&l, &b);
	assert_int_equal(alert_labels_read(&m, buf_str(&b), true, &err), 0);
	assert_true(alert_labels_eq(&l, &m));
	alert_labels_remove(&m, STR("_"));
	assert_false(alert_labels_eq(&l, &m));
	assert_int_equal(alert_labels_read(&m, STR("[1]"), true, &err), -1);
	assert_int_equal(alert_labels_read(&m, STR("{\"a\":1}"), true, &err), -1);
	assert_int_equal(alert_labels_read(&m, STR("{\"a\":"), true, &err), -1);
	assert_int_equal(m.n, 0);
	for (int i = 0; i < ALERT_LABELS_MAX; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		assert_true(alert_labels_put(&m, str_of(key), STR("v")));
	}
	assert_false(alert_labels_put(&m, STR("one_more"), STR("v")));
	assert_true(alert_labels_put(&m, STR("k1"), STR("w"))); /* one that is there may change */
	assert_int_equal(m.n, ALERT_LABELS_MAX);
	alert_labels_release(&l);
	alert_labels_release(&m);
	buf_release(&b);
}

/* A reason is one bounded, printable line. */
static void test_reason(void **state)
{
	struct told told = {.text = BUF_INIT};
	struct alert_table *t = alert_table_new(told_cb, &told);
	char why[3000];

	(void)state;
	memset(why, 'x', sizeof(why) - 1);
	why[sizeof(why) - 1] = '\0';
	why[3] = '\n';
	alert_raise(t, ALERT_GOROUTINE_LEAK, who, 3, &no_annotations, why, T0, NULL);
	assert_null(strchr(told.reason, '\n'));
	assert_true(strlen(told.reason) < ALERT_REASON_MAX && strlen(told.reason) >= 390);
	alert_table_free(t);
	buf_release(&told.text);
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < ALERT_KINDS; i++) {
		assert_int_equal(alert_kind_of_name(str_of(alert_kind_name(i))), i);
		assert_non_null(alert_rule_defaults[i].severity);
	}
	for (int i = 0; i < ALERT_STATES; i++)
		assert_int_equal(alert_state_of_name(str_of(alert_state_name(i))), i);
	for (int i = 0; i < ALERT_ENDS; i++)
		assert_int_equal(alert_end_of_name(str_of(alert_end_name(i))), i);
	assert_int_equal(alert_kind_of_name(STR("goroutineleak")), ALERT_KINDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_two_alerts),
		cmocka_unit_test(test_templates),
		cmocka_unit_test(test_annotations),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_table_limit),
		cmocka_unit_test(test_label_values),
		cmocka_unit_test(test_long_values),
		cmocka_unit_test(test_keys_and_text),
		cmocka_unit_test(test_reason),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
