#include "notify_syslog.h"
#include "notify.h"
#include "safe.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* Numbers of RFC 5424, table 1. */
static const struct {
	const char *name;
	int number;
} facilities[] = {
	{"kern", 0},
	{"user", 1},
	{"mail", 2},
	{"daemon", 3},
	{"auth", 4},
	{"syslog", 5},
	{"lpr", 6},
	{"news", 7},
	{"uucp", 8},
	{"cron", 9},
	{"authpriv", 10},
	{"ftp", 11},
	{"local0", 16},
	{"local1", 17},
	{"local2", 18},
	{"local3", 19},
	{"local4", 20},
	{"local5", 21},
	{"local6", 22},
	{"local7", 23},
};

int notify_syslog_facility(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(facilities); i++) {
		if (str_is(name, facilities[i].name))
			return facilities[i].number;
	}
	return -1;
}

static int priority_of(const struct alert *a)
{
	struct str severity = alert_labels_get(&a->labels, "severity");

	if (a->state != ALERT_FIRING)
		return 5;
	return str_is(severity, "page") || str_is(severity, "critical") ? 2 : 4;
}

static void add_field(struct buf *out, const char *key, struct str value)
{
	buf_addf(out, "%s=", key);
	safe_add(out, value); /* one line, whatever it is */
	buf_addc(out, '\n');
}

/* Names of fields are upper case letters, digits and "_". */
static void add_label(struct buf *out, const struct label *l)
{
	buf_adds(out, "LEAKWATCH_LABEL_");
	for (size_t i = 0; i < l->key.len; i++) {
		unsigned char c = (unsigned char)l->key.p[i];

		buf_addc(out, (char)(isalnum(c) ? toupper(c) : '_'));
	}
	buf_addc(out, '=');
	safe_add(out, l->value);
	buf_addc(out, '\n');
}

/* Lines of a text as one line. */
static void add_joined(struct buf *out, struct str text, const char *between)
{
	struct str line;

	for (bool first = true; str_line(&text, &line); first = false) {
		buf_adds(out, first ? "" : between);
		safe_add(out, line);
	}
}

static void add_message(struct buf *out, const struct alert *a)
{
	struct str summary = alert_labels_get(&a->annotations, "summary");
	struct str description = alert_labels_get(&a->annotations, "description");

	if (a->state == ALERT_FIRING) {
		buf_addf(out, "FIRING %s [leakwatch alerts show %s]: ", alert_kind_name(a->kind),
			a->id);
		add_joined(out, description.len ? description : summary, " ");
		return;
	}
	buf_addf(out, "RESOLVED %s: ", alert_kind_name(a->kind));
	safe_add(out, summary);
	buf_adds(out, a->reason[0] ? ": " : "");
	safe_add(out, str_of(a->reason));
}

void notify_syslog(const struct alert *a, struct str external_url, int facility, struct buf *out)
{
	struct str stack = alert_labels_get(&a->annotations, "example_stack");
	struct buf page = BUF_INIT;

	buf_adds(out, "MESSAGE=");
	add_message(out, a);
	buf_addf(out, "\nPRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=leakwatch\n",
		priority_of(a), facility);
	add_field(out, "LEAKWATCH_ALERTNAME", str_of(alert_kind_name(a->kind)));
	add_field(out, "LEAKWATCH_STATE", str_of(alert_state_name(a->state)));
	add_field(out, "LEAKWATCH_ID", str_of(a->id));
	notify_add_page(&page, a, external_url);
	if (page.len)
		add_field(out, "LEAKWATCH_PAGE", buf_str(&page));
	if (stack.len) {
		buf_adds(out, "LEAKWATCH_EXAMPLE_STACK=");
		add_joined(out, stack, "; ");
		buf_addc(out, '\n');
	}
	for (size_t i = 0; i < a->labels.n; i++)
		add_label(out, &a->labels.v[i]);
	buf_release(&page);
}

static struct str field(struct str fields, const char *key)
{
	struct str line, name = str_of(key);

	while (str_line(&fields, &line)) {
		if (str_starts(line, name) && line.len > name.len && line.p[name.len] == '=')
			return str_from(line, name.len + 1);
	}
	return (struct str){0};
}

void notify_syslog_line(struct str fields, long pid, struct buf *out)
{
	uint64_t priority = 5, facility = 3;
	size_t start = out->len;

	str_u64(field(fields, "PRIORITY"), &priority);
	str_u64(field(fields, "SYSLOG_FACILITY"), &facility);
	buf_addf(out, "<%d>leakwatch[%ld]: ", (int)(facility * 8 + priority), pid);
	buf_addstr(out, field(fields, "MESSAGE"));
	if (out->len - start > NOTIFY_SYSLOG_LINE_MAX) {
		out->len = start + NOTIFY_SYSLOG_LINE_MAX - 3;
		buf_adds(out, "...");
	}
}
