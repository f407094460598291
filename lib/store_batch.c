#include "store_internal.h"
#include "xalloc.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct store_batch *store_batch_new(void)
{
	struct store_batch *b = xcalloc(1, sizeof(*b));

	b->tail = &b->first;
	return b;
}

void store_batch_free(struct store_batch *b)
{
	if (!b)
		return;
	store_batch_drop_samples(b);
	arena_release(&b->arena);
	free(b);
}

size_t store_batch_bytes(const struct store_batch *b)
{
	return sizeof(*b) + b->arena.bytes + b->change_bytes;
}

bool store_batch_empty(const struct store_batch *b)
{
	return !b->first;
}

bool store_batch_durable(const struct store_batch *b)
{
	return b->durable;
}

static bool is_independent(const struct store_op *op)
{
	return op->kind == OP_ALERT || op->kind == OP_ALERT_EVENT || op->kind == OP_DELIVERY ||
	       op->kind == OP_META || op->kind == OP_TOLD || op->kind == OP_SILENCE ||
	       op->kind == OP_ACK;
}

static bool is_lasting(const struct store_op *op)
{
	switch (op->kind) {
	case OP_SCRAPE:
	case OP_STATUS:
	case OP_DETECTOR:
	case OP_EXHIBIT:
	case OP_EVIDENCE:
	case OP_COST:
	case OP_SEEN_TARGET:
	case OP_SEEN_RUN:
	case OP_SEEN_CLASS:
		return false;
	default:
		return true;
	}
}

/* Unlinks what is not kept; how many operations, and in *values how many samples, that were. */
static size_t keep_only(
	struct store_batch *b, bool (*kept)(const struct store_op *), size_t *values)
{
	struct store_op **at = &b->first;
	struct store_scrape_row *r;
	size_t n = 0;

	while (*at) {
		if (kept(*at)) {
			at = &(*at)->next;
			continue;
		}
		if ((*at)->kind == OP_SCRAPE) {
			r = (*at)->row;
			*values += r->values;
			buf_release(&r->changes);
		}
		*at = (*at)->next;
		n++;
	}
	b->tail = at;
	b->scrape = NULL;
	b->change_bytes = 0;
	return n;
}

size_t store_batch_drop_samples(struct store_batch *b)
{
	size_t values = 0;

	keep_only(b, is_lasting, &values);
	return values;
}

size_t store_batch_keep_durable(struct store_batch *b)
{
	size_t values = 0;

	return keep_only(b, is_independent, &values);
}

/* A copy of the row at the end of the list; its strings are still the caller's. */
static void *add_op(struct store_batch *b, enum store_op_kind kind, const void *row, size_t size)
{
	struct store_op *op = arena_alloc(&b->arena, sizeof(*op));

	op->next = NULL;
	op->kind = kind;
	op->row = arena_alloc(&b->arena, size);
	memcpy(op->row, row, size);
	*b->tail = op;
	b->tail = &op->next;
	return op->row;
}

static void keep(struct store_batch *b, struct str *s)
{
	*s = arena_str(&b->arena, *s);
}

static void keep_json(struct store_batch *b, struct str *s)
{
	if (s->len == 0)
		*s = STR("{}");
	keep(b, s);
}

void store_put_target(struct store_batch *b, const struct store_target *r)
{
	struct store_target *c = add_op(b, OP_TARGET, r, sizeof(*r));

	keep(b, &c->job);
	keep(b, &c->instance);
	keep_json(b, &c->labels);
}

void store_put_seen(struct store_batch *b, enum store_seen what, int64_t id, int64_t last_seen_ms)
{
	struct store_seen_row row = {.id = id, .last_seen_ms = last_seen_ms};

	add_op(b, (enum store_op_kind)(OP_SEEN_TARGET + what), &row, sizeof(row));
}

void store_put_status(struct store_batch *b, const struct store_status *r)
{
	struct store_status *c = add_op(b, OP_STATUS, r, sizeof(*r));

	keep(b, &c->why);
	keep(b, &c->metrics_why);
}

void store_put_run(struct store_batch *b, const struct store_run *r)
{
	struct store_run *c = add_op(b, OP_RUN, r, sizeof(*r));

	keep(b, &c->info);
}

void store_put_class(struct store_batch *b, const struct store_class *r)
{
	struct store_class *c = add_op(b, OP_CLASS, r, sizeof(*r));

	keep(b, &c->name);
	keep(b, &c->rule);
	keep(b, &c->ended_why);
	keep(b, &c->hint);
}

void store_put_stack(struct store_batch *b, const struct store_stack *r)
{
	struct store_stack *c = add_op(b, OP_STACK, r, sizeof(*r));

	keep(b, &c->text);
}

void store_put_class_stack(struct store_batch *b, const struct store_class_stack *r)
{
	struct store_class_stack *c = add_op(b, OP_CLASS_STACK, r, sizeof(*r));

	keep(b, &c->wait);
	keep(b, &c->created_by);
}

void store_put_series(struct store_batch *b, const struct store_series *r)
{
	struct store_series *c = add_op(b, OP_SERIES, r, sizeof(*r));

	keep(b, &c->name);
}

void store_put_verdict(struct store_batch *b, const struct store_verdict *r)
{
	struct store_verdict *c = add_op(b, OP_VERDICT, r, sizeof(*r));

	keep(b, &c->state);
	keep(b, &c->reason);
}

void store_put_detector(struct store_batch *b, const struct store_detector *r)
{
	struct store_detector *c = add_op(b, OP_DETECTOR, r, sizeof(*r));

	keep(b, &c->record);
}

void store_put_alert(struct store_batch *b, const struct store_alert *r)
{
	struct store_alert *c = add_op(b, OP_ALERT, r, sizeof(*r));

	keep(b, &c->id);
	keep(b, &c->key);
	keep(b, &c->name);
	keep(b, &c->state);
	keep(b, &c->end);
	keep(b, &c->reason);
	keep_json(b, &c->labels);
	keep_json(b, &c->annotations);
	b->durable = true;
}

void store_add_alert_event(struct store_batch *b, const struct store_alert_event *r)
{
	struct store_alert_event *c = add_op(b, OP_ALERT_EVENT, r, sizeof(*r));

	keep(b, &c->alert_id);
	keep(b, &c->from_state);
	keep(b, &c->to_state);
	keep(b, &c->why);
	b->durable = true;
}

void store_put_delivery(struct store_batch *b, const struct store_delivery *r)
{
	struct store_delivery *c = add_op(b, OP_DELIVERY, r, sizeof(*r));

	keep(b, &c->alert_id);
	keep(b, &c->receiver);
	keep(b, &c->webhook_id);
	keep(b, &c->state);
	keep(b, &c->body);
	keep(b, &c->why);
	b->durable = true;
}

void store_add_told(struct store_batch *b, const struct store_told *r)
{
	struct store_told *c = add_op(b, OP_TOLD, r, sizeof(*r));

	keep(b, &c->alert_id);
	keep(b, &c->receiver);
	keep(b, &c->state);
	b->durable = true;
}

void store_put_silence(struct store_batch *b, const struct store_silence *r)
{
	struct store_silence *c = add_op(b, OP_SILENCE, r, sizeof(*r));

	keep(b, &c->id);
	keep(b, &c->matchers);
	keep(b, &c->comment);
	b->durable = true;
}

void store_put_ack(struct store_batch *b, const struct store_ack *r)
{
	struct store_ack *c = add_op(b, OP_ACK, r, sizeof(*r));

	keep(b, &c->alert_id);
	keep(b, &c->comment);
	b->durable = true;
}

bool store_add_exhibit(struct store_batch *b, const struct store_exhibit *r)
{
	struct store_exhibit *c;

	if (r->body.len > STORE_EXHIBIT_BYTES)
		return false;
	c = add_op(b, OP_EXHIBIT, r, sizeof(*r));
	keep(b, &c->alert_id);
	keep(b, &c->format);
	keep(b, &c->body);
	return true;
}

void store_put_fact(struct store_batch *b, enum store_fact_kind kind, const struct store_fact *r)
{
	struct store_fact *c = add_op(b, kind == STORE_COST ? OP_COST : OP_EVIDENCE, r, sizeof(*r));

	keep_json(b, &c->body);
}

void store_put_meta(struct store_batch *b, const char *key, struct str value)
{
	struct store_meta_row row = {.key = str_of(key), .value = value}, *c;

	c = add_op(b, OP_META, &row, sizeof(row));
	keep(b, &c->key);
	keep(b, &c->value);
}

void store_add_scrape(struct store_batch *b, const struct store_scrape *r)
{
	struct store_scrape_row row = {.scrape = *r, .changes = BUF_INIT};

	b->scrape = add_op(b, OP_SCRAPE, &row, sizeof(row));
	buf_addc(&b->scrape->changes, '{');
}

/* The shortest text that reads back as the same number; most samples are small integers. */
void store_add_number(struct buf *out, double v)
{
	char text[32];

	if (v == floor(v) && fabs(v) < 9007199254740992.0) {
		buf_addf(out, "%" PRId64, (int64_t)v);
		return;
	}
	snprintf(text, sizeof(text), "%.15g", v);
	if (strtod(text, NULL) != v)
		snprintf(text, sizeof(text), "%.17g", v);
	buf_adds(out, text);
}

bool store_add_value(struct store_batch *b, int64_t series_id, double value)
{
	struct store_scrape_row *r = b->scrape;
	size_t before;

	if (!r || r->values >= STORE_VALUES_MAX)
		return false;
	if (r->values == 0)
		r->base = series_id;
	before = r->changes.len;
	buf_addf(&r->changes, "%s\"%" PRId64 "\":", r->values ? "," : "", series_id - r->base);
	if (isfinite(value))
		store_add_number(&r->changes, value);
	else
		buf_adds(&r->changes, "null");
	r->values++;
	b->change_bytes += r->changes.len - before;
	return true;
}
