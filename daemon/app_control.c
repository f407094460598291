/* What people ask for over the control socket: silences and acknowledgements. */
#include "app_internal.h"
#include "clock.h"
#include "json.h"
#include "log.h"
#include "safe.h"
#include "xalloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACK_COMMENT_MAX SILENCE_COMMENT_MAX

static struct str member(const json_t *o, const char *key)
{
	const json_t *j = json_object_get(o, key);

	return json_is_string(j) ? str_n(json_string_value(j), json_string_length(j)) : STR("");
}

static void answer(struct control_request *r, const char *key, struct str value)
{
	struct buf line = BUF_INIT;
	json_t *o = json_object();

	json_object_set_new(o, key, json_str(value));
	json_write(o, &line);
	json_decref(o);
	control_answer(r, buf_str(&line));
	buf_release(&line);
}

/* ---- silences ---- */

static void put_silence(struct app *a, const struct silence *s)
{
	struct buf matchers = BUF_INIT;
	json_t *list = json_array();
	struct store_silence row = {
		.id = str_of(s->id),
		.starts_ms = s->starts_ms,
		.ends_ms = s->ends_ms,
		.uid = s->uid,
		.comment = s->comment,
	};

	for (size_t i = 0; i < s->nmatchers; i++)
		json_array_append_new(list, json_str(s->matchers[i]));
	json_write(list, &matchers);
	json_decref(list);
	row.matchers = buf_str(&matchers);
	store_put_silence(a->unit->batch, &row);
	buf_release(&matchers);
}

/* The matchers of a JSON array, at most SILENCE_MATCHERS_MAX + 1; the array keeps the bytes. */
static size_t matchers_of(const json_t *list, struct str *out)
{
	size_t n = MIN(json_array_size(list), (size_t)SILENCE_MATCHERS_MAX + 1);

	for (size_t i = 0; i < n; i++) {
		const json_t *j = json_array_get(list, i);

		out[i] = json_is_string(j) ? str_n(json_string_value(j), json_string_length(j))
					   : STR("");
	}
	return n;
}

static const struct silence *add_silence(
	struct app *a, const json_t *request, int64_t uid, struct err *err)
{
	struct str matchers[SILENCE_MATCHERS_MAX + 1];
	int64_t now_ms = clock_wall_ms();
	struct silence spec = {
		.matchers = matchers,
		.nmatchers = matchers_of(json_object_get(request, "matchers"), matchers),
		.starts_ms = now_ms,
		.ends_ms = (int64_t)json_integer_value(json_object_get(request, "ends_ms")),
		.uid = uid,
		.comment = str_trim(member(request, "comment")),
	};
	const struct silence *s;
	struct buf shown = BUF_INIT;

	if (spec.comment.len == 0) {
		err_set(err, "a silence needs a comment: why?");
		return NULL;
	}
	s = silence_add(a->silences, &spec, now_ms, err);
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->nmatchers; i++) {
		buf_adds(&shown, i ? " " : "");
		buf_addstr(&shown, s->matchers[i]);
	}
	put_silence(a, s);
	log_msg(LEVEL_NOTICE, "silence %s by uid %" PRId64 ": %.*s: %.*s", s->id, uid,
		(int)MIN(shown.len, (size_t)1000), shown.p, STR_ARG(s->comment));
	buf_release(&shown);
	return s;
}

static const struct silence *expire_silence(
	struct app *a, const json_t *request, int64_t uid, struct err *err)
{
	const struct silence *s =
		silence_expire(a->silences, member(request, "id"), clock_wall_ms(), err);

	if (!s)
		return NULL;
	put_silence(a, s);
	log_msg(LEVEL_NOTICE, "silence %s ended by uid %" PRId64, s->id, uid);
	return s;
}

bool app_is_silenced(void *arg, const struct alert *al)
{
	struct app *a = arg;

	return silence_match(a->silences, &al->labels, clock_wall_ms()) != NULL;
}

/*
 * An Alertmanager that was told of an alert before the silence began is told on: it would take the
 * lease that runs out for the alert's end.
 */
bool app_is_withheld(struct app *a, const struct alert *al)
{
	const struct silence *s = silence_match(a->silences, &al->labels, clock_wall_ms());

	return s && s->starts_ms <= al->fired_ms;
}

/* ---- acknowledgements ---- */

bool app_is_acked(void *arg, const struct alert *al)
{
	struct app *a = arg;

	return map_get(a->acks, str_of(al->id)) != NULL;
}

/* The standing alert whose id is, or begins with, id; NULL with err. */
static const struct alert *find_alert(struct app *a, struct str id, struct err *err)
{
	const struct alert *al, *found = NULL;
	void *at = NULL;
	size_t n = 0;

	while (id.len && (al = alert_next(a->alerts, &at))) {
		if (str_starts(str_of(al->id), id)) {
			found = al;
			n++;
		}
	}
	if (n == 1)
		return found;
	err_set(err,
		n ? "%zu alerts that stand begin with '%.*s'"
		  : "no alert that stands (%zu) is '%.*s'",
		n, (int)MIN(id.len, (size_t)40), id.p);
	return NULL;
}

static const struct alert *add_ack(
	struct app *a, const json_t *request, int64_t uid, struct err *err)
{
	const struct alert *al = find_alert(a, member(request, "id"), err);
	struct store_ack row = {
		.at_ms = clock_wall_ms(), .uid = uid, .comment = member(request, "comment")};

	if (!al)
		return NULL;
	if (row.comment.len > ACK_COMMENT_MAX) {
		err_set(err, "its comment is longer than %d bytes", ACK_COMMENT_MAX);
		return NULL;
	}
	row.alert_id = str_of(al->id);
	map_put(a->acks, row.alert_id, a);
	store_put_ack(a->unit->batch, &row);
	log_msg(LEVEL_NOTICE, "alert %s acknowledged by uid %" PRId64, al->id, uid);
	return al;
}

void app_forget_ack(struct app *a, const struct alert *al)
{
	map_take(a->acks, str_of(al->id));
}

/* ---- requests ---- */

/* What was done, as the id of it; NULL with err. */
static const char *perform(struct app *a, const json_t *request, int64_t uid, struct err *err)
{
	struct str what = member(request, "do");
	const struct silence *s = NULL;
	const struct alert *al = NULL;

	if (str_is(what, "silence"))
		s = add_silence(a, request, uid, err);
	else if (str_is(what, "expire"))
		s = expire_silence(a, request, uid, err);
	else if (str_is(what, "ack"))
		al = add_ack(a, request, uid, err);
	else
		err_set(err, "this daemon does not know how to do that");
	return s ? s->id : al ? al->id : NULL;
}

/* Answered when it is durable. */
static void request_cb(void *arg, struct control_request *r, int64_t uid, struct str line)
{
	struct app *a = arg;
	struct err err = ERR_INIT;
	json_t *request = json_read(line, &err);
	const char *id;

	if (a->stopping || !a->writer) {
		json_decref(request);
		answer(r, "error", STR("the daemon is stopping"));
		return;
	}
	unit_begin(a);
	id = request ? perform(a, request, uid, &err) : NULL;
	if (id)
		snprintf(a->unit->done_id, sizeof(a->unit->done_id), "%s", id);
	else
		answer(r, "error", str_of(err.msg));
	a->unit->request = id ? r : NULL;
	unit_commit(a);
	group_wake(a->groups);
	sink_alertmanager_wake(a->alertmanager);
	app_arm_alerts(a);
	json_decref(request);
}

void app_answer(struct control_request *r, const char *id, bool stored)
{
	answer(r, stored ? "id" : "error",
		stored ? str_of(id)
		       : STR("it holds now, but was not stored: it is forgotten at a restart"));
}

/* ---- start ---- */

static void silence_cb(void *arg, const struct store_silence *r)
{
	struct app *a = arg;
	struct str matchers[SILENCE_MATCHERS_MAX + 1];
	struct err err = ERR_INIT;
	json_t *list = json_read(r->matchers, &err);
	struct silence spec = {
		.matchers = matchers,
		.nmatchers = matchers_of(list, matchers),
		.starts_ms = r->starts_ms,
		.ends_ms = r->ends_ms,
		.uid = r->uid,
		.comment = r->comment,
	};

	snprintf(spec.id, sizeof(spec.id), "%.*s", STR_ARG(r->id));
	if (!silence_add(a->silences, &spec, clock_wall_ms(), &err))
		log_msg(LEVEL_ERROR, "stored silence %s is not taken over: %s", spec.id, err.msg);
	json_decref(list);
}

static void ack_cb(void *arg, const struct store_ack *r)
{
	struct app *a = arg;

	map_put(a->acks, r->alert_id, a);
}

int app_load_said(struct app *a, struct err *err)
{
	a->silences = silence_set_new();
	a->acks = map_new();
	if (store_load_silences(a->store, clock_wall_ms() + 1, silence_cb, a, err))
		return -1;
	return store_load_acks(a->store, ack_cb, a, err);
}

/* Without it the daemon watches and tells all the same. */
void app_open_control(struct app *a)
{
	char *path = xasprintf("%s" CONTROL_SUFFIX, a->config->storage_path.p);
	struct err err = ERR_INIT;

	a->control = control_new(a->base, path, request_cb, a, &err);
	if (!a->control)
		log_msg(LEVEL_ERROR, "no silences and acknowledgements: %s", err.msg);
	free(path);
}
