#include "alert.h"

#include <stdlib.h>

static const char *const state_names[ALERT_STATES] = {"inactive", "pending", "firing", "resolved"};
static const char *const end_names[ALERT_ENDS] = {"cleared", "removed", "changed"};
static const char *const kind_names[ALERT_KINDS] = {
	[ALERT_GOROUTINE_LEAK] = "GoroutineLeak",
	[ALERT_MEMORY_LEAK] = "MemoryLeak",
	[ALERT_FD_LEAK] = "FileDescriptorLeak",
	[ALERT_BLOCKED_FOREVER] = "BlockedForever",
	[ALERT_LOCK_CONVOY] = "LockConvoy",
	[ALERT_GOROUTINE_LIMIT] = "GoroutineLimit",
	[ALERT_STUCK_GOROUTINES] = "StuckGoroutines",
	[ALERT_TARGET_DOWN] = "WatchTargetDown",
	[ALERT_DUMP_UNREADABLE] = "WatchDumpUnreadable",
	[ALERT_STORAGE_FULL] = "WatchStorageFull",
	[ALERT_STORAGE_DAMAGED] = "WatchStorageDamaged",
};

#define MINUTES (60 * 1000ull)

/* A leak's verdict has its own persistence, so it needs no `for`. */
const struct alert_rule alert_rule_defaults[ALERT_KINDS] = {
	[ALERT_GOROUTINE_LEAK] = {0, 15 * MINUTES, "page", NULL, 0, NULL, 0},
	[ALERT_MEMORY_LEAK] = {0, 15 * MINUTES, "page", NULL, 0, NULL, 0},
	[ALERT_FD_LEAK] = {0, 15 * MINUTES, "page", NULL, 0, NULL, 0},
	[ALERT_BLOCKED_FOREVER] = {0, 15 * MINUTES, "page", NULL, 0, NULL, 0},
	[ALERT_LOCK_CONVOY] = {0, 15 * MINUTES, "page", NULL, 0, NULL, 0},
	[ALERT_GOROUTINE_LIMIT] = {0, 15 * MINUTES, "page", NULL, 0, NULL, 0},
	[ALERT_STUCK_GOROUTINES] = {0, 15 * MINUTES, "page", NULL, 0, NULL, 0},
	[ALERT_TARGET_DOWN] = {3 * MINUTES, 15 * MINUTES, "warning", NULL, 0, NULL, 0},
	[ALERT_DUMP_UNREADABLE] = {3 * MINUTES, 15 * MINUTES, "warning", NULL, 0, NULL, 0},
	[ALERT_STORAGE_FULL] = {0, 15 * MINUTES, "page", NULL, 0, NULL, 0},
	[ALERT_STORAGE_DAMAGED] = {0, 0, "warning", NULL, 0, NULL, 0},
};

/* Index of name, or n. */
static size_t index_of(const char *const *names, size_t n, struct str name)
{
	size_t i = 0;

	while (i < n && !str_is(name, names[i]))
		i++;
	return i;
}

const char *alert_state_name(enum alert_state s)
{
	return s < ALERT_STATES ? state_names[s] : "?";
}

enum alert_state alert_state_of_name(struct str name)
{
	return (enum alert_state)index_of(state_names, ALERT_STATES, name);
}

const char *alert_kind_name(enum alert_kind k)
{
	return k < ALERT_KINDS ? kind_names[k] : "?";
}

enum alert_kind alert_kind_of_name(struct str name)
{
	return (enum alert_kind)index_of(kind_names, ALERT_KINDS, name);
}

const char *alert_end_name(enum alert_end e)
{
	return e < ALERT_ENDS ? end_names[e] : "?";
}

enum alert_end alert_end_of_name(struct str name)
{
	return (enum alert_end)index_of(end_names, ALERT_ENDS, name);
}

void alert_release(struct alert *a)
{
	free(a->key);
	alert_labels_release(&a->labels);
	alert_labels_release(&a->annotations);
	a->key = NULL;
}
