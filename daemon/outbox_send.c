#include "buf.h"
#include "clock.h"
#include "notify.h"
#include "outbox_lane.h"
#include "safe.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define RETRY_CAP_MS	(5 * 60 * 1000)
#define RETRY_AFTER_MAX 3600.0 /* seconds of a Retry-After that are believed */
#define TIMEOUT_MS	10000 /* default of a receiver's timeout */
#define ANSWER_MAX	(64 * 1024) /* bytes of an answer that are read */
#define STEP_ASIDE	5 /* 5xx answers after which a message lets the others pass */

uint64_t outbox_delay_ms(unsigned failures, uint64_t base_ms, double random01)
{
	uint64_t doubled = base_ms << MIN(failures - 1, 20u);

	return (uint64_t)((double)MIN(doubled, (uint64_t)RETRY_CAP_MS) * random01);
}

/* splitmix64: good enough to spread retries. */
static double random01(struct outbox *o)
{
	uint64_t z = o->random += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	z ^= z >> 31;
	return (double)(z >> 11) * 0x1p-53;
}

/* True when the request cannot have been read by the receiver. */
static bool surely_unseen(enum fetch_end end)
{
	return end == FETCH_REFUSED || end == FETCH_RESOLVE || end == FETCH_TLS;
}

static enum outbox_outcome judge(const struct fetch_result *r)
{
	bool answered = r->end == FETCH_OK || r->end == FETCH_TOO_LARGE;

	if (answered && r->status >= 200 && r->status < 300)
		return OUTBOX_DELIVERED;
	if (answered && r->status >= 400 && r->status < 500 && r->status != 408 && r->status != 429)
		return OUTBOX_PARKED;
	return OUTBOX_RETRY;
}

static void schedule_retry(struct lane *l, struct item *it, double retry_after_s)
{
	struct outbox *o = l->o;
	uint64_t wait = outbox_delay_ms(++l->failures, o->opt.retry_base_ms, random01(o));

	if (retry_after_s > 0) {
		uint64_t asked = (uint64_t)(MIN(retry_after_s, RETRY_AFTER_MAX) * 1000);

		wait = MAX(wait, asked);
		l->told_to_wait = true;
	}
	l->gave_up_stop = o->stopping;
	l->due_ms = clock_mono_ms() + wait;
	it->d.next_at_ms = clock_wall_ms() + (int64_t)wait;
}

/* Failed: owed still.  What the receiver seems unable to digest goes behind the others, unless a
 * later message of its alert would get in front of it (then lane_drop_needless ends it). */
static void retry(
	struct lane *l, struct item *it, int status, double retry_after_s, const char *why)
{
	schedule_retry(l, it, retry_after_s);
	if (status >= 500 && status != 503 && ++it->refusals >= STEP_ASIDE && !lane_successor(it)) {
		TAILQ_REMOVE(&l->items, it, link);
		TAILQ_INSERT_TAIL(&l->items, it, link);
	}
	lane_tell(l, &it->d, OUTBOX_RETRY, status, why);
}

/* "HTTP 503: overloaded", or why there was no answer. */
static void word_result(const struct lane *l, const struct fetch_result *r, struct buf *out)
{
	struct str answer = str_trim(str_n(l->answer, l->answer_len));

	if (r->end != FETCH_OK && r->end != FETCH_TOO_LARGE && r->why[0]) {
		safe_add(out, str_of(r->why));
		return;
	}
	buf_addf(out, "HTTP %d", r->status);
	if (answer.len) {
		buf_adds(out, ": ");
		safe_add_cut(out, answer, OUTBOX_ANSWER_SHOWN);
	}
}

static void done_cb(void *arg, const struct fetch_result *r)
{
	struct lane *l = arg;
	struct item *it = TAILQ_FIRST(&l->items);
	enum outbox_outcome outcome = judge(r);
	struct buf why = BUF_INIT;

	l->job = NULL;
	it->d.attempts++;
	it->maybe_seen |= !surely_unseen(r->end);
	word_result(l, r, &why);
	if (outcome == OUTBOX_RETRY) {
		retry(l, it, r->status, r->retry_after_s, why.p);
	} else {
		l->failures = 0;
		l->due_ms = 0;
		lane_finish(l, it, outcome, r->status, outcome == OUTBOX_DELIVERED ? "" : why.p);
	}
	buf_release(&why);
	outbox_arm(l->o);
}

static bool body_cb(void *arg, const char *p, size_t n)
{
	struct lane *l = arg;
	size_t take = MIN(n, sizeof(l->answer) - l->answer_len);

	memcpy(l->answer + l->answer_len, p, take);
	l->answer_len += take;
	return true;
}

/* 0, or -1 with err when there is no request to be made of it. */
static int start_request(struct lane *l, const struct item *it, struct err *err)
{
	char id[128], stamp[64], signature[32 + NOTIFY_SIGNATURE_MAX], mac[NOTIFY_SIGNATURE_MAX];
	int64_t now_s = clock_wall_ms() / 1000;
	struct buf authorization = BUF_INIT, body = BUF_INIT;
	const char *headers[8] = {"content-type: application/json",
		"user-agent: leakwatch/" LEAKWATCH_VERSION, id, stamp};
	struct fetch_request req = {.url = l->to.url,
		.unix_socket = l->to.unix_socket,
		.method = "POST",
		.headers = headers,
		.body = it->d.body,
		.timeout_ms = l->to.timeout_ms ? l->to.timeout_ms : TIMEOUT_MS,
		.max_bytes = ANSWER_MAX,
		.username = l->to.username,
		.password = l->to.password,
		.ca_file = l->to.ca_file,
		.cert_file = l->to.cert_file,
		.key_file = l->to.key_file,
		.server_name = l->to.server_name,
		.insecure_skip_verify = l->to.insecure_skip_verify,
		.on_body = body_cb,
		.any_status = true,
		.on_done = done_cb,
		.arg = l};
	size_t n = 4;

	if (l->to.member && it->d.body.len > 1) {
		buf_addf(&body, "{%s,", l->to.member);
		buf_addstr(&body, str_from(it->d.body, 1));
		req.body = buf_str(&body);
	}
	snprintf(id, sizeof(id), "webhook-id: %s", it->d.webhook_id);
	snprintf(stamp, sizeof(stamp), "webhook-timestamp: %" PRId64, now_s);
	if (l->to.secret) {
		if (notify_sign(
			    str_of(l->to.secret), it->d.webhook_id, now_s, req.body, mac, err)) {
			buf_release(&body);
			return -1;
		}
		snprintf(signature, sizeof(signature), "webhook-signature: %s", mac);
		headers[n++] = signature;
	}
	if (l->to.authorization) {
		buf_addf(&authorization, "authorization: %s", l->to.authorization);
		headers[n++] = authorization.p;
	}
	l->answer_len = 0;
	l->job = fetch_start(l->o->fetch, &req, err);
	buf_release(&authorization);
	buf_release(&body);
	return l->job ? 0 : -1;
}

/* A local service takes it at once, or not. */
static void deliver_here(struct lane *l, struct item *it)
{
	struct err err = ERR_INIT;

	it->d.attempts++;
	if (l->to.deliver(l->to.deliver_arg, it->d.body, &err)) {
		retry(l, it, 0, NAN, err.msg);
	} else {
		l->failures = 0;
		l->due_ms = 0;
		lane_finish(l, it, OUTBOX_DELIVERED, 0, "");
	}
	outbox_arm(l->o);
}

void lane_send(struct lane *l)
{
	struct outbox *o = l->o;
	struct err err = ERR_INIT;
	struct item *it;

	if (l->job)
		return;
	lane_drop_needless(l);
	it = TAILQ_FIRST(&l->items);
	if (!it || (o->stopping ? lane_at_rest(l) : clock_mono_ms() < l->due_ms))
		return;
	l->told_to_wait = false;
	o->stats.attempts++;
	if (l->to.deliver) {
		deliver_here(l, it);
		return;
	}
	if (start_request(l, it, &err) == 0)
		return;
	/* The configuration is at fault: a reload may mend it, so it stays owed. */
	it->d.attempts++;
	retry(l, it, 0, NAN, err.msg);
}
