#include "model.h"

static const char *const names[WAIT_KINDS] = {
	[WAIT_UNKNOWN] = "unknown",
	[WAIT_NONE] = "running",
	[WAIT_CHAN_RECEIVE] = "chan receive",
	[WAIT_CHAN_SEND] = "chan send",
	[WAIT_SELECT] = "select",
	[WAIT_IO] = "IO wait",
	[WAIT_SLEEP] = "sleep",
	[WAIT_MUTEX] = "mutex",
	[WAIT_SEMACQUIRE] = "semacquire",
	[WAIT_SYSCALL] = "syscall",
	[WAIT_COND] = "cond",
	[WAIT_OTHER] = "other",
};

const char *wait_kind_name(enum wait_kind k)
{
	return k < WAIT_KINDS ? names[k] : "unknown";
}

enum wait_kind wait_kind_of_name(struct str name)
{
	for (int k = WAIT_NONE; k < WAIT_KINDS; k++) {
		if (str_is(name, names[k]))
			return (enum wait_kind)k;
	}
	return WAIT_KINDS;
}
