/*
 * replay: serves a recording as if it were the Go service.  Level 3; a home of event2/http.h.
 *
 * The recording's clock starts at its first scrape when replay_start is called and runs `speed`
 * times as fast as the real one; what is served is what the service answered then, with its status.
 * A scrape that failed in the recording is answered 503.  process_start_time_seconds is moved so
 * that the uptime fits (recording_shift_start).  After the end, the last bodies stay.
 *
 * Served, GET and HEAD only: PPROF/ (the index), PPROF/goroutine?debug=1, PPROF/goroutine?debug=2
 * where the recording has it, PPROF/symbol?0x…+0x… for the program counters the recording knows,
 * and the metrics path.  Everything else is 404.
 *
 * It is for tests and demonstrations: requests are small and idle connections end after two
 * minutes, but their number is not limited.  Listen on a loopback address.
 *
 * Life cycle: replay_new (takes the recording over), replay_start, replay_free.
 */
#ifndef LEAKWATCH_REPLAY_H
#define LEAKWATCH_REPLAY_H

#include "err.h"
#include "recording.h"

#define REPLAY_SYMBOLS_MAX 4096 /* distinct program counters remembered */
#define REPLAY_SPEED_MAX   100000.0

struct event_base;
struct replay;

/* speed > 0.  listen is host:port, port 0 takes a free one.  NULL with err; r is freed then too. */
struct replay *replay_new(struct event_base *base, struct recording *r, const char *listen,
	double speed, struct err *err);
void replay_free(struct replay *replay);
/* "127.0.0.1:6060", as bound. */
const char *replay_address(const struct replay *replay);
/* Starts the clock; until then everything is answered 503.  -1 when the recording is empty. */
int replay_start(struct replay *replay, struct err *err);
/* The end was reached: the last bodies are served now. */
bool replay_ended(const struct replay *replay);

#endif
