/*
 * symbols: what hidden runtime frames are called, to tell what goroutines wait for.  Layer 1.
 *
 * debug=1 hides the runtime's frames at the leaf, and with them whether a goroutine receives, sends
 * or selects.  A target names them: GET /debug/pprof/symbol?0x43be36+0x408a3b answers with lines
 * "0x43be36 runtime.gopark" (Go's net/http/pprof, Symbol).  The daemon does this while it scrapes;
 * this is for one body at hand.
 *
 * Life cycle: symbols_new, symbols_collect with the body, symbols_query, then symbols_answer;
 * symbols_wait as often as wanted; symbols_free.
 */
#ifndef LEAKWATCH_SYMBOLS_H
#define LEAKWATCH_SYMBOLS_H

#include "buf.h"
#include "model.h"

#define SYMBOLS_MAX 512 /* addresses that are asked for; a service has two to ten */

struct symbols;

struct symbols *symbols_new(void);
void symbols_free(struct symbols *s);
/* Notes the hidden addresses of a body of debug=1; nothing of any other. */
void symbols_collect(struct symbols *s, struct str body);
/* Appends "0x43be36+0x408a3b"; false when there is nothing to ask. */
bool symbols_query(const struct symbols *s, struct buf *out);
/* The answer; lines that are none are skipped. */
void symbols_answer(struct symbols *s, struct str body);
/* What a record with these hidden addresses waits for, or WAIT_UNKNOWN. */
enum wait_kind symbols_wait(const struct symbols *s, const uint64_t *pcs, size_t n);

#endif
