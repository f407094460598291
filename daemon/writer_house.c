#include "writer_house.h"
#include "clock.h"
#include "store_space.h"
#include "writer_move.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BITE_ROWS     160 /* of one transaction, so that its pages fit SQLite's cache */
#define BITE_LONG_MS  16 /* the next one does less */
#define BITE_SHORT_MS 10 /* the next one may do more */
#define WORK_MIN_MS   1.0
#define WORK_MAX_MS   8.0
#define SHRINK_MS     15 /* of small transactions, one after the other */
#define SHRINK_PAGES  4 /* of one transaction */
#define SQUEEZE_STEP  0.9
#define SQUEEZE_MIN   0.01
#define MOVE_MS	      1000 /* that one is waited for before the file is put back */

static bool enough(void *arg)
{
	struct house *h = arg;

	return clock_mono_us() >= h->enough_us;
}

void house_init(struct house *h, struct store *store)
{
	*h = (struct house){.store = store,
		.work_ms = WORK_MAX_MS / 4,
		.squeeze = 1,
		.room = true,
		.placed = true};
	store_set_enough(store, enough, h);
}

static void begin_bite(struct house *h)
{
	h->begun_us = clock_mono_us();
	h->enough_us = h->begun_us + (uint64_t)(h->work_ms * 1000);
}

static double end_stretch(struct house *h, enum house_bite what)
{
	double took = (double)(clock_mono_us() - h->begun_us) / 1000;

	h->longest_bite_ms = MAX(h->longest_bite_ms, took);
	if (h->on_bite)
		h->on_bite(h->arg, what, took);
	return took;
}

/*
 * A bite works for some milliseconds and is then committed, which takes as long again on a slow
 * disk: how long it may work is learnt from how long all of it took, so that none holds up a batch
 * that comes meanwhile.
 */
static void end_bite(struct house *h, enum house_bite what)
{
	double took = end_stretch(h, what);

	if (took > BITE_LONG_MS)
		h->work_ms = MAX(h->work_ms / 2, WORK_MIN_MS);
	else if (took < BITE_SHORT_MS)
		h->work_ms = MIN(h->work_ms * 1.1, WORK_MAX_MS);
}

static bool is_wanted(const struct house *h)
{
	return h->wanted && h->wanted(h->wanted_arg);
}

static int64_t squeezed(const struct house *h, int64_t keep_ms)
{
	return (int64_t)((double)keep_ms * h->squeeze);
}

static struct store_keep kept(const struct house *h)
{
	return (struct store_keep){.raw_ms = squeezed(h, h->keep.raw_ms),
		.m5_ms = squeezed(h, h->keep.m5_ms),
		.h1_ms = squeezed(h, h->keep.h1_ms),
		.fold = h->keep.fold};
}

/* A full or busy disk shows when batches are written; old pages are read here only. */
static void note_damage(struct house *h, int64_t result, const struct err *err)
{
	if (result < 0 && store_was_damaged(h->store))
		snprintf(h->damage, sizeof(h->damage), "%s", err->msg);
}

/* A few buckets; true when there may be more at once. */
static bool fold(struct house *h, int64_t wall_ms)
{
	struct err err = ERR_INIT;
	bool again = false;
	int64_t folded;

	h->damage[0] = '\0';
	if (!h->keep.fold)
		return false;
	begin_bite(h);
	folded = store_fold(h->store, wall_ms, BITE_ROWS, &again, &err);
	note_damage(h, folded, &err);
	end_bite(h, HOUSE_FOLD);
	h->folded += (uint64_t)MAX(folded, 0);
	return again;
}

/* A few old rows; likewise. */
static bool prune(struct house *h, int64_t wall_ms)
{
	struct store_keep keep = kept(h);
	struct err err = ERR_INIT;
	bool more = false;
	int64_t pruned;

	begin_bite(h);
	pruned = store_prune(h->store, wall_ms, &keep, BITE_ROWS, &more, &err);
	note_damage(h, pruned, &err);
	end_bite(h, HOUSE_PRUNE);
	h->pruned += (uint64_t)MAX(pruned, 0);
	return more;
}

static void tell(struct house *h, const char *what, int64_t is, const char *than, int64_t limit)
{
	snprintf(h->why, sizeof(h->why),
		"%s %" PRId64 " MiB, %s %" PRId64 " MiB; no samples are stored", what, is >> 20,
		than, limit >> 20);
}

/* Each page that moves is several random reads, so this is done in the smallest of steps. */
static void shrink(struct house *h)
{
	uint64_t until_us = clock_mono_us() + (uint64_t)(SHRINK_MS * 1000);
	int rc;

	do {
		begin_bite(h);
		rc = store_shrink(h->store, SHRINK_PAGES, NULL);
		end_bite(h, HOUSE_SHRINK);
	} while (rc == 0 && clock_mono_us() < until_us && !is_wanted(h));
}

/* Whether there is room for samples, and what to do about it; true: more of the same at once. */
static bool mind_space(struct house *h, bool settled)
{
	int64_t need = h->min_free + (h->ballast ? 0 : STORE_BALLAST_BYTES);
	struct store_space space;
	bool over, empty;

	h->why[0] = '\0';
	begin_bite(h);
	if (store_space(h->store, &space, NULL) < 0)
		return false;
	h->used_bytes = space.used_bytes;
	h->free_bytes = space.free_bytes;
	over = h->max_size && space.used_bytes > h->max_size;
	/* What is kept is cut step by step, each when the one before has had its effect. */
	if (over && settled)
		h->squeeze = MAX(h->squeeze * SQUEEZE_STEP, SQUEEZE_MIN);
	else if (!over && h->squeeze < 1 && space.used_bytes < h->max_size - h->max_size / 8)
		h->squeeze = MIN(h->squeeze / SQUEEZE_STEP, 1.0);
	if (h->max_size && space.used_bytes > h->max_size + h->max_size / 8)
		tell(h, "the store has", space.used_bytes, "more than storage.max_size,",
			h->max_size);
	else if (space.free_bytes < (h->room ? h->min_free : need))
		tell(h, "the disk has free", space.free_bytes, "less than storage.min_free,",
			h->min_free);
	h->room = h->why[0] == '\0';
	if (!h->ballast && space.free_bytes >= need)
		h->ballast = store_ballast_make(h->store);
	end_stretch(h, HOUSE_SPACE);
	empty = space.used_bytes < space.file_bytes;
	if (!empty || !((h->max_size && space.file_bytes > h->max_size) ||
			      space.free_bytes < h->min_free))
		return over && settled && h->squeeze > SQUEEZE_MIN;
	shrink(h);
	return true;
}

/* Somebody removed or exchanged the file of a running daemon. */
static void mind_place(struct house *h)
{
	enum store_place place = store_place(h->store);
	struct err err = ERR_INIT;

	h->placed = place == STORE_IN_PLACE;
	if (place == STORE_REMOVED && !mover_wait(h->mover, MOVE_MS))
		err_set(&err, "the disk does not answer");
	else if (place == STORE_REMOVED)
		h->placed = store_put_back(h->store, &err) == 0;
	if (h->placed)
		return;
	if (place == STORE_REMOVED)
		snprintf(h->why, sizeof(h->why),
			"the file was removed and cannot be put back: %.*s", ERR_MAX - 64, err.msg);
	else
		snprintf(h->why, sizeof(h->why),
			"another file stands in the place of the store: what is written now goes "
			"with the old one; stop the daemon before files are exchanged");
}

/* The other thread looks before each round; true: its disk takes what time it likes. */
static bool look_first(struct house *h, int64_t wall_ms)
{
	struct store_keep keep = kept(h);

	if (!h->mover || h->looked)
		return false;
	mover_look(h->mover, wall_ms, &keep, BITE_ROWS);
	h->looked = true;
	return true;
}

bool house_keep(struct house *h, int64_t wall_ms)
{
	bool again;

	/* The disk has enough to do, and without us the log can begin anew after a move. */
	if (mover_is_busy(h->mover))
		return true;
	if (h->next == HOUSE_FOLD) {
		if (look_first(h, wall_ms))
			return true;
		h->looked = false;
		h->folds = fold(h, wall_ms);
		h->next = HOUSE_PRUNE;
		if (is_wanted(h))
			return true;
	}
	h->next = HOUSE_FOLD;
	again = prune(h, wall_ms) || h->folds;
	again |= mind_space(h, !again);
	mind_place(h);
	if (!h->why[0])
		memcpy(h->why, h->damage, sizeof(h->why));
	if (!h->why[0])
		mover_why(h->mover, h->why, sizeof(h->why));
	mover_offer(h->mover);
	if (again && !mover_is_busy(h->mover))
		look_first(h, wall_ms);
	return again;
}

bool house_disk_is_full(struct house *h)
{
	bool dropped = store_ballast_drop(h->store);

	h->ballast = false;
	if (h->room) {
		h->room = false;
		snprintf(h->why, sizeof(h->why), "the disk is full; no samples are stored");
	}
	return dropped;
}
