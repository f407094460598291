#include "store_look.h"
#include "store_internal.h"

#include <string.h>

/* The store as the second connection sees it, with cursors of its own. */
static void make_view(struct store *view, const struct store *s)
{
	*view = (struct store){.db = s->side,
		.path = s->path,
		.version = s->version,
		.lock_fd = -1,
		.prune_turn = s->prune_turn,
		.fold_target = s->fold_target,
		.exhibits_fit = true};
	memcpy(view->prune_target, s->prune_target, sizeof(view->prune_target));
	memcpy(view->sweep_key, s->sweep_key, sizeof(view->sweep_key));
}

void store_look(struct store *s, int64_t now_ms, const struct store_keep *keep, int max_rows,
	bool (*enough)(void *arg), void *arg)
{
	int fold = 0, prune = 0;
	struct store view;

	if (!s->side)
		return;
	make_view(&view, s);
	view.enough = enough;
	view.enough_arg = arg;
	if (sqlite3_exec(s->side, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		return;
	if (keep->fold)
		store_look_fold(&view, now_ms, max_rows, &fold);
	store_look_prune(&view, now_ms, keep, max_rows, &prune);
	sqlite3_exec(s->side, "COMMIT", NULL, NULL, NULL);
	s->fold_steps = MAX(fold, 1);
	s->prune_steps = MAX(prune, 1);
}
