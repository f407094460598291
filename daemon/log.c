#include "clock.h"
#include "log.h"
#include "map.h"
#include "safe.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = {
	[LEVEL_CRITICAL] = "critical",
	[LEVEL_ERROR] = "error",
	[LEVEL_WARNING] = "warning",
	[LEVEL_NOTICE] = "notice",
	[LEVEL_INFO] = "info",
	[LEVEL_DEBUG] = "debug",
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* for all that follows */
static struct {
	bool open, journald;
	int fd;
	enum log_level least;
	struct log_limit limit;
} out = {.fd = STDERR_FILENO, .least = LEVEL_INFO};

const char *log_level_name(enum log_level l)
{
	return l >= LEVEL_CRITICAL && l <= LEVEL_DEBUG ? level_names[l] : "unknown";
}

bool log_level_of_name(struct str name, enum log_level *level)
{
	for (enum log_level l = LEVEL_ERROR; l <= LEVEL_DEBUG; l++) {
		if (str_is(name, level_names[l])) {
			*level = l;
			return true;
		}
	}
	return false;
}

bool log_is_journald(int fd, const char *env)
{
	uint64_t device, inode;
	struct str s = str_of(env);
	ptrdiff_t colon = str_chr(s, ':');
	struct stat st;

	return colon > 0 && str_u64(str_sub(s, 0, (size_t)colon), &device) &&
	       str_u64(str_from(s, (size_t)colon + 1), &inode) && fstat(fd, &st) == 0 &&
	       st.st_dev == device && st.st_ino == inode;
}

void log_open(int fd, enum log_level least, bool journald)
{
	pthread_mutex_lock(&lock);
	out.open = true;
	out.fd = fd;
	out.least = least;
	out.journald = journald;
	pthread_mutex_unlock(&lock);
}

void log_set_level(enum log_level least)
{
	pthread_mutex_lock(&lock);
	out.least = least;
	pthread_mutex_unlock(&lock);
}

/* ---- lines ----------------------------------------------------------------------------------- */

static void add_head(struct buf *b, enum log_level l)
{
	int64_t now_ms = clock_wall_ms();
	time_t seconds = (time_t)(now_ms / 1000);
	char stamp[32];
	struct tm tm;

	if (out.journald) {
		buf_addf(b, "<%d>", (int)l);
		return;
	}
	gmtime_r(&seconds, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_addf(b, "%s.%03dZ %s: ", stamp, (int)(now_ms % 1000), log_level_name(l));
}

static void write_all(int fd, const char *p, size_t n)
{
	ssize_t done;

	for (; n; p += done, n -= (size_t)done) {
		done = write(fd, p, n);
		if (done < 0)
			return;
	}
}

/* With the lock held. */
static bool wanted(enum log_level l)
{
	if (!out.open) {
		out.open = true;
		out.journald = log_is_journald(out.fd, getenv("JOURNAL_STREAM"));
	}
	return l <= out.least;
}

static void put_line(enum log_level l, uint32_t left_out, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

static void put_line(enum log_level l, uint32_t left_out, const char *fmt, va_list ap)
{
	char text[LOG_LINE_MAX];
	struct buf b = BUF_INIT;
	int n = vsnprintf(text, sizeof(text), fmt, ap);

	if (n >= (int)sizeof(text))
		memcpy(text + sizeof(text) - 4, "...", 4);
	add_head(&b, l);
	safe_add(&b, str_of(text));
	if (left_out)
		buf_addf(&b, " (%" PRIu32 " more like this were left out)", left_out);
	buf_addc(&b, '\n');
	write_all(out.fd, b.p, b.len);
	buf_release(&b);
}

void log_msg(enum log_level l, const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&lock);
	if (wanted(l)) {
		va_start(ap, fmt);
		put_line(l, 0, fmt, ap);
		va_end(ap);
	}
	pthread_mutex_unlock(&lock);
}

bool log_limit_pass(struct log_limit *limit, uint64_t hash, uint64_t now_ms, uint32_t *left_out)
{
	struct log_slot *slot = &limit->slots[hash % LOG_LIMIT_SLOTS];

	*left_out = 0;
	if (slot->written == 0 || now_ms - slot->since_ms >= LOG_LIMIT_MS) {
		*left_out = slot->left_out;
		*slot = (struct log_slot){.since_ms = now_ms, .written = 1};
		return true;
	}
	if (slot->written < LOG_LIMIT_BURST) {
		slot->written++;
		return true;
	}
	slot->left_out++;
	return false;
}

void log_limited(enum log_level l, const char *key, const char *fmt, ...)
{
	uint32_t left_out;
	va_list ap;

	pthread_mutex_lock(&lock);
	if (wanted(l) && log_limit_pass(&out.limit, hash64(key, strlen(key), 0), clock_mono_ms(),
				 &left_out)) {
		va_start(ap, fmt);
		put_line(l, left_out, fmt, ap);
		va_end(ap);
	}
	pthread_mutex_unlock(&lock);
}
