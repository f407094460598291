/*
 * log: one line per message on standard error.  Level 3; any module of the daemon may use it.
 *
 * Under systemd ($JOURNAL_STREAM names the stream that standard error is) a line begins with the
 * priority that journald reads ("<4>"), else with the UTC time and the level's name.  The whole
 * message is made printable (lib/safe.h), so that names from scraped processes can forge neither a
 * second line nor a terminal's escape sequence.  A message longer than LOG_LINE_MAX is cut and ends
 * in "...".
 *
 * It logs what it is given and decides nothing: a fallible function returns its error instead.
 * Safe from every thread; a line is one write(2).  A log that cannot be written is lost silently.
 */
#ifndef LEAKWATCH_LOG_H
#define LEAKWATCH_LOG_H

#include "base.h"
#include "str.h"

/* Values are journald's and syslog's priorities (RFC 5424, 6.2.1). */
enum log_level {
	LEVEL_CRITICAL = 2, /* somebody should have been told of an alert, and was not */
	LEVEL_ERROR = 3, /* something does not work and needs a person */
	LEVEL_WARNING = 4, /* something does not work now; it is tried again */
	LEVEL_NOTICE = 5, /* alerts, start, stop, reload */
	LEVEL_INFO = 6, /* targets and verdicts that change */
	LEVEL_DEBUG = 7
};

#define LOG_LINE_MAX 4096 /* bytes of a message as given, before escaping */

const char *log_level_name(enum log_level l); /* "error", "warning", … */
/* Reads such a name; false leaves *out alone. */
bool log_level_of_name(struct str name, enum log_level *out);

/*
 * Where lines go (the descriptor stays the caller's), the least urgent level that is written, and
 * whether journald reads it.  Without it: standard error, LEVEL_INFO, journald as the environment
 * says.
 */
void log_open(int fd, enum log_level least, bool journald);
void log_set_level(enum log_level least);
/* True when fd is the stream that $JOURNAL_STREAM ("device:inode", given as env) names. */
bool log_is_journald(int fd, const char *env);

void log_msg(enum log_level l, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * For what may come with every scrape: of the messages with one key, at most LOG_LIMIT_BURST are
 * written in LOG_LIMIT_MS; the first one after that tells how many were left out.  The key says
 * what and whom it is about ("scrape shop/10.0.0.1:6060"), not the message's changing parts.
 */
#define LOG_LIMIT_BURST 5
#define LOG_LIMIT_MS	(10 * 60 * 1000)
void log_limited(enum log_level l, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);

/*
 * The rule behind log_limited, pure.  Keys share LOG_LIMIT_SLOTS slots by their hash, so memory is
 * fixed however many names outsiders invent; two keys in one slot share its allowance.  False:
 * leave it out.  True: write it; *left_out is how many were left out before it.
 */
#define LOG_LIMIT_SLOTS 1024
struct log_limit {
	struct log_slot {
		uint64_t since_ms; /* when its allowance began */
		uint32_t written, left_out;
	} slots[LOG_LIMIT_SLOTS];
};
bool log_limit_pass(struct log_limit *limit, uint64_t hash, uint64_t now_ms, uint32_t *left_out);

#endif
