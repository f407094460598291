#include "writer_house.h"
#include "clock.h"
#include "store_space.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BITE_ROWS_MIN 20
#define BITE_ROWS_MAX 400
#define BITE_LONG_MS  25 /* the next one is smaller */
#define BITE_SHORT_MS 8 /* the next one is larger */
#define SHRINK_PAGES  64
#define SQUEEZE_STEP  0.9
#define SQUEEZE_MIN   0.01

void house_init(struct house *h, struct store *store)
{
	*h = (struct house){.store = store,
		.bite_rows = BITE_ROWS_MAX / 4,
		.squeeze = 1,
		.room = true,
		.placed = true};
}

/*
 * How many rows a bite has is learnt from how long they take on this disk, so that none holds up a
 * batch that comes meanwhile.
 */
static void end_bite(struct house *h, uint64_t start_ms)
{
	uint64_t took = clock_mono_ms() - start_ms;

	if (took > BITE_LONG_MS)
		h->bite_rows = MAX(h->bite_rows / 2, BITE_ROWS_MIN);
	else if (took < BITE_SHORT_MS)
		h->bite_rows = MIN(h->bite_rows + h->bite_rows / 4, BITE_ROWS_MAX);
	h->longest_bite_ms = MAX(h->longest_bite_ms, (double)took);
}

static int64_t squeezed(const struct house *h, int64_t keep_ms)
{
	return (int64_t)((double)keep_ms * h->squeeze);
}

/* A full or busy disk shows when batches are written; old pages are read here only. */
static void note_damage(struct house *h, int64_t result, const struct err *err)
{
	if (result < 0 && store_was_damaged(h->store))
		snprintf(h->damage, sizeof(h->damage), "%s", err->msg);
}

/* A few buckets, then a few old rows; true when there may be more at once. */
static bool fold_and_prune(struct house *h)
{
	struct store_keep keep = {.raw_ms = squeezed(h, h->keep.raw_ms),
		.m5_ms = squeezed(h, h->keep.m5_ms),
		.h1_ms = squeezed(h, h->keep.h1_ms),
		.fold = h->keep.fold};
	uint64_t start = clock_mono_ms();
	struct err err = ERR_INIT;
	int rows = h->bite_rows;
	int64_t folded = 0, pruned;
	bool again = false;

	h->damage[0] = '\0';
	if (keep.fold) {
		folded = store_fold(h->store, clock_wall_ms(), rows, &again, &err);
		note_damage(h, folded, &err);
		end_bite(h, start);
		start = clock_mono_ms();
		rows = h->bite_rows;
	}
	pruned = store_prune(h->store, clock_wall_ms(), &keep, rows, &err);
	note_damage(h, pruned, &err);
	end_bite(h, start);
	h->folded += (uint64_t)MAX(folded, 0);
	h->pruned += (uint64_t)MAX(pruned, 0);
	return again || pruned >= rows;
}

static void tell(struct house *h, const char *what, int64_t is, const char *than, int64_t limit)
{
	snprintf(h->why, sizeof(h->why),
		"%s %" PRId64 " MiB, %s %" PRId64 " MiB; no samples are stored", what, is >> 20,
		than, limit >> 20);
}

/* Whether there is room for samples, and what to do about it; true: more of the same at once. */
static bool mind_space(struct house *h, bool settled)
{
	int64_t need = h->min_free + (h->ballast ? 0 : STORE_BALLAST_BYTES);
	struct store_space space;
	bool over, empty;
	uint64_t start;

	h->why[0] = '\0';
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
	empty = space.used_bytes < space.file_bytes;
	if (!empty || !((h->max_size && space.file_bytes > h->max_size) ||
			      space.free_bytes < h->min_free))
		return over && settled && h->squeeze > SQUEEZE_MIN;
	start = clock_mono_ms();
	store_shrink(h->store, SHRINK_PAGES, NULL);
	end_bite(h, start);
	return true;
}

/* Somebody removed or exchanged the file of a running daemon. */
static void mind_place(struct house *h)
{
	enum store_place place = store_place(h->store);
	struct err err = ERR_INIT;

	h->placed = place == STORE_IN_PLACE;
	if (place == STORE_REMOVED)
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

bool house_keep(struct house *h)
{
	bool again = fold_and_prune(h);

	again |= mind_space(h, !again);
	mind_place(h);
	if (!h->why[0])
		memcpy(h->why, h->damage, sizeof(h->why));
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
