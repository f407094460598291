/*
 * store_told: rows of who was told what, and of what people said to it.  Layer 2, plain data.
 *
 * Part of store_rows.h, which says what holds for all rows.
 */
#ifndef LEAKWATCH_STORE_TOLD_H
#define LEAKWATCH_STORE_TOLD_H

#include "base.h"
#include "str.h"

/* What a message said of an alert; one row for each alert that it names. */
struct store_told {
	int64_t outbox_id;
	struct str alert_id, receiver; /* the receiver's name in the configuration */
	struct str state; /* alert_state_name */
	int64_t at_ms;
};

/* One that was ended early has its ends_ms then. */
struct store_silence {
	struct str id;
	struct str matchers; /* JSON array of strings, as silence_text writes each */
	int64_t starts_ms, ends_ms;
	int64_t uid; /* who asked, as the kernel says */
	struct str comment;
};

struct store_ack {
	struct str alert_id;
	int64_t at_ms, uid;
	struct str comment;
};

#endif
