/*
 * pprof_index: what the page /debug/pprof/ says.  Layer 1.
 *
 * It stops nothing and takes a millisecond, and says how many goroutines there are and which
 * profiles can be asked for.  A row of it (net/http/pprof, indexTmplExecute; Go 1.9 to 1.28-dev)
 * is one of
 *
 *	<tr><td align=right>58<td><a href="goroutine?debug=1">goroutine</a>	to 1.10
 *	<td>58</td><td><a href=goroutine?debug=1>goroutine</a>			1.11 to 1.15, also
 *&#61; <tr><td>58</td><td><a href='goroutine?debug=1'>goroutine</a></td></tr>	from 1.16
 *
 * with blanks and new lines anywhere between.  What is no such row is skipped.
 */
#ifndef LEAKWATCH_PPROF_INDEX_H
#define LEAKWATCH_PPROF_INDEX_H

#include "str.h"

#define PPROF_INDEX_MAX (256 * 1024) /* bytes of a page; more is not looked at */

struct pprof_index {
	bool goroutine, goroutineleak; /* listed */
	uint64_t goroutines; /* runtime.NumGoroutine() */
};

/* False when the page lists no goroutine profile (another page, another mux). */
bool pprof_index_parse(struct str page, struct pprof_index *out);

#endif
