/*
 * stack: the normal form of a stack, so that one leak has one name.  Layer 1.
 *
 * The same goroutine printed by debug=0, 1 and 2, by another build or another Go version gets the
 * same fingerprint and the same automatic class name: arguments, offsets, addresses, line numbers,
 * wrappers, type arguments and closure numbers are taken out.  Rules: go-formats, section 5.6.
 */
#ifndef LEAKWATCH_STACK_H
#define LEAKWATCH_STACK_H

#include "arena.h"
#include "model.h"

struct stack {
	uint64_t fingerprint; /* over the functions of the frames that are not the runtime's */
	struct frame
		*frames; /* leaf first, names in normal form; the runtime's are kept and marked */
	size_t nframes;
	struct str entry; /* function the goroutine started in, normal form; "" when unknown */
	struct str top; /* first frame outside the runtime; "" when there is none */
	struct frame
		user; /* first frame outside the standard library; func "" when there is none */
	enum wait_kind wait;
	struct str created_by; /* normal form, or "" */
	struct label *labels;
	size_t nlabels;
};

/*
 * The normal form of one function name: ".gowrapN", ".deferwrapN", "·dwrap·N", "-fm" cut, "%2e"
 * unescaped, everything up to the last "/vendor/" cut, "[...]" for any type arguments,
 * "internal/sync." to "sync.", "runtime.gopanic" to "panic".  Closure numbers stay (main.f.func1).
 * The result is name itself or a copy in a.
 */
struct str stack_name(struct arena *a, struct str name);

/* stack_name, and without closure numbers: main.f.func1.2 -> main.f.  For automatic names. */
struct str stack_plain_name(struct arena *a, struct str name);

/* A function of Go's standard library (by its package path; main is not). */
bool stack_is_std(struct str func);
/* A function of the runtime: runtime.…, internal/runtime/…, or a name without a dot. */
bool stack_is_runtime(struct str func);

/*
 * Builds the normal form of g in a; strings are copies in a or slices of g, so a caller who keeps
 * it beyond g's life gives copy = true.  wait comes from the state (debug=2) or from the visible
 * frames (debug=1); WAIT_UNKNOWN means that the hidden PCs must be asked for
 * (stack_wait_of_symbols).
 */
void stack_from_group(struct arena *a, const struct group *g, bool copy, struct stack *out);

/* What the name of a hidden runtime frame tells, leaf first: runtime.chanrecv1 -> chan receive.
 * WAIT_UNKNOWN when it tells nothing (runtime.gopark); then the next one is asked. */
enum wait_kind stack_wait_of_symbol(struct str name);

/* The wait kind of a debug=2 state ("IO wait", "sync.Mutex.Lock", …). */
enum wait_kind stack_wait_of_state(struct str state);

/*
 * The automatic class name: "ENTRY" when the first frame outside the standard library belongs to
 * the entry function (or there is none), else "TOP < ENTRY"; stacks that do not wait are "ENTRY".
 * At most 200 bytes: a longer one is cut and ends in a hash.
 */
struct str stack_class_name(struct arena *a, const struct stack *s);

#endif
