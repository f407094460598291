#include "buf.h"
#include "json.h"
#include "recording.h"
#include "xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define ABOUT_FILE    "recording.json"
#define BODIES_FILE   "bodies.gz"
#define ABOUT_MAX     65536 /* bytes of recording.json */
#define HEAD_LINE_MAX 100

static const char *const kind_names[RECORDING_KINDS] = {
	[RECORDING_GOROUTINE] = "goroutine",
	[RECORDING_METRICS] = "metrics",
	[RECORDING_SYMBOL] = "symbol",
	[RECORDING_INDEX] = "index",
	[RECORDING_DEBUG2] = "debug2",
};

const char *recording_kind_name(enum recording_kind k)
{
	return k < RECORDING_KINDS ? kind_names[k] : "unknown";
}

static gzFile open_bodies(const char *dir, int flags, const char *mode, struct err *err)
{
	char *path = xasprintf("%s/" BODIES_FILE, dir);
	int fd = open(path, flags | O_CLOEXEC, 0600);
	gzFile gz = NULL;

	if (fd >= 0)
		gz = gzdopen(fd, mode);
	if (!gz && errno == EEXIST)
		err_set(err, "%s holds a recording already: name another directory", dir);
	else if (!gz)
		err_set(err, "cannot open %s: %s", path, strerror(errno));
	if (!gz && fd >= 0)
		close(fd);
	free(path);
	return gz;
}

/* ---- writing --------------------------------------------------------------------------------- */

struct recording_writer {
	char *dir, *target, *pprof_path, *metrics_path;
	struct recording_about about;
	gzFile gz;
	int64_t last_at_ms;
};

static int write_file(const char *path, struct str text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool whole;

	if (fd < 0)
		return -1;
	whole = write(fd, text.p, text.len) == (ssize_t)text.len;
	return close(fd) == 0 && whole ? 0 : -1;
}

static int write_about(const struct recording_writer *w, struct err *err)
{
	char *path = xasprintf("%s/" ABOUT_FILE, w->dir), *tmp = xasprintf("%s.tmp", path);
	const struct recording_about *a = &w->about;
	json_t *doc = json_object();
	struct buf text = BUF_INIT;
	int rc = 0;

	json_object_set_new(doc, "version", json_integer(RECORDING_VERSION));
	json_object_set_new(doc, "leakwatch", json_str(str_of(LEAKWATCH_VERSION)));
	json_object_set_new(doc, "target", json_str(str_of(a->target)));
	json_object_set_new(doc, "pprof_path", json_str(str_of(a->pprof_path)));
	json_object_set_new(doc, "metrics_path", json_str(str_of(a->metrics_path)));
	json_object_set_new(doc, "interval_ms", json_integer((json_int_t)a->interval_ms));
	json_object_set_new(doc, "started_ms", json_integer((json_int_t)a->started_ms));
	json_object_set_new(doc, "scrapes", json_integer((json_int_t)a->scrapes));
	json_write(doc, &text);
	if (text.len == 0 || text.p[text.len - 1] != '\n')
		buf_addc(&text, '\n');
	if (write_file(tmp, buf_str(&text)) < 0 || rename(tmp, path) < 0)
		rc = err_set(err, "cannot write %s: %s", path, strerror(errno));
	json_decref(doc);
	buf_release(&text);
	free(path);
	free(tmp);
	return rc;
}

static void free_writer(struct recording_writer *w)
{
	free(w->dir);
	free(w->target);
	free(w->pprof_path);
	free(w->metrics_path);
	free(w);
}

struct recording_writer *recording_create(
	const char *dir, const struct recording_about *about, struct err *err)
{
	struct recording_writer *w;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
		err_set(err, "cannot make the directory %s: %s", dir, strerror(errno));
		return NULL;
	}
	w = xcalloc(1, sizeof(*w));
	w->dir = xstrdup(dir);
	w->target = xstrdup(about->target);
	w->pprof_path = xstrdup(about->pprof_path);
	w->metrics_path = xstrdup(about->metrics_path);
	w->about = *about;
	w->about.target = w->target;
	w->about.pprof_path = w->pprof_path;
	w->about.metrics_path = w->metrics_path;
	w->gz = open_bodies(dir, O_WRONLY | O_CREAT | O_EXCL, "wb9", err);
	if (!w->gz || write_about(w, err) < 0) {
		if (w->gz)
			gzclose(w->gz);
		free_writer(w);
		return NULL;
	}
	return w;
}

static int gz_error(struct recording_writer *w, struct err *err)
{
	int code;
	const char *why = gzerror(w->gz, &code);

	return err_set(err, "cannot write %s/" BODIES_FILE ": %s", w->dir,
		code == Z_ERRNO ? strerror(errno) : why);
}

int recording_add(struct recording_writer *w, const struct recording_entry *entry, struct err *err)
{
	size_t n = entry->body.len;

	if (n > RECORDING_BODY_MAX)
		return err_set(err, "a body of %zu bytes is larger than a recording can hold", n);
	w->last_at_ms = MAX(w->last_at_ms, entry->at_ms);
	if (gzprintf(w->gz, "%s %" PRId64 " %d %zu\n", recording_kind_name(entry->kind),
		    w->last_at_ms, entry->status, n) <= 0 ||
		(n && gzwrite(w->gz, entry->body.p, (unsigned)n) != (int)n) ||
		gzputc(w->gz, '\n') != '\n')
		return gz_error(w, err);
	w->about.scrapes += entry->kind == RECORDING_GOROUTINE;
	return 0;
}

int recording_flush(struct recording_writer *w, struct err *err)
{
	if (gzflush(w->gz, Z_SYNC_FLUSH) != Z_OK)
		return gz_error(w, err);
	return write_about(w, err);
}

int recording_close(struct recording_writer *w, uint64_t *bytes, struct err *err)
{
	char *path = xasprintf("%s/" BODIES_FILE, w->dir);
	struct stat st = {0};
	int rc = 0;

	if (gzclose(w->gz) != Z_OK || stat(path, &st) < 0)
		rc = err_set(err, "cannot write %s: %s", path, strerror(errno));
	*bytes = (uint64_t)st.st_size;
	if (rc == 0)
		rc = write_about(w, err);
	free(path);
	free_writer(w);
	return rc;
}

/* ---- reading --------------------------------------------------------------------------------- */

struct recording {
	char *dir;
	json_t *doc; /* owns the strings of about */
	struct recording_about about;
	gzFile gz;
	struct buf body;
};

static const char *text_of(const json_t *doc, const char *key, const char *otherwise)
{
	const char *s = json_string_value(json_object_get(doc, key));

	return s ? s : otherwise;
}

static int read_about(struct recording *r, struct err *err)
{
	char *path = xasprintf("%s/" ABOUT_FILE, r->dir);
	char *text = xmalloc(ABOUT_MAX);
	struct err why = ERR_INIT;
	FILE *f = fopen(path, "re");
	json_int_t version;
	size_t n;
	int rc = -1;

	if (!f) {
		err_set(err, "%s holds no recording: cannot open %s: %s", r->dir, ABOUT_FILE,
			strerror(errno));
		goto out;
	}
	n = fread(text, 1, ABOUT_MAX, f);
	r->doc = json_read(str_n(text, n), &why);
	version = json_integer_value(json_object_get(r->doc, "version"));
	if (!r->doc) {
		err_set(err, "%s is not readable: %s", path, why.msg);
	} else if (version != RECORDING_VERSION) {
		err_set(err, "%s has version %lld; this program reads version %d", path,
			(long long)version, RECORDING_VERSION);
	} else {
		r->about.target = text_of(r->doc, "target", "");
		r->about.pprof_path = text_of(r->doc, "pprof_path", "/debug/pprof");
		r->about.metrics_path = text_of(r->doc, "metrics_path", "");
		r->about.interval_ms =
			(uint64_t)json_integer_value(json_object_get(r->doc, "interval_ms"));
		r->about.started_ms = json_integer_value(json_object_get(r->doc, "started_ms"));
		r->about.scrapes = (uint64_t)json_integer_value(json_object_get(r->doc, "scrapes"));
		rc = 0;
	}
out:
	if (f)
		fclose(f);
	free(text);
	free(path);
	return rc;
}

struct recording *recording_open(const char *dir, struct err *err)
{
	struct recording *r = xcalloc(1, sizeof(*r));

	r->dir = xstrdup(dir);
	buf_init(&r->body);
	if (read_about(r, err) == 0)
		r->gz = open_bodies(dir, O_RDONLY, "rb", err);
	if (!r->gz) {
		recording_free(r);
		return NULL;
	}
	return r;
}

const struct recording_about *recording_about(const struct recording *r)
{
	return &r->about;
}

/* "KIND AT_MS STATUS BYTES" */
static bool parse_head(const char *line, struct recording_entry *out, uint64_t *bytes)
{
	char kind[20], end;

	if (sscanf(line, "%19s %" SCNd64 " %d %" SCNu64 "%c", kind, &out->at_ms, &out->status,
		    bytes, &end) != 5 ||
		end != '\n' || *bytes > RECORDING_BODY_MAX)
		return false;
	for (int k = 0; k < RECORDING_KINDS; k++) {
		if (strcmp(kind, kind_names[k]) == 0) {
			out->kind = (enum recording_kind)k;
			return true;
		}
	}
	return false;
}

int recording_next(struct recording *r, struct recording_entry *out, struct err *err)
{
	char line[HEAD_LINE_MAX];
	uint64_t bytes;
	int code;

	if (!gzgets(r->gz, line, sizeof(line))) {
		gzerror(r->gz, &code);
		if (code == Z_OK || code == Z_STREAM_END)
			return 0;
		return err_set(err, "%s/" BODIES_FILE " was cut short", r->dir);
	}
	if (!parse_head(line, out, &bytes))
		return err_set(
			err, "%s/" BODIES_FILE " has something else than an entry in it", r->dir);
	buf_reset(&r->body);
	/* In pieces: a length that is a lie costs no memory. */
	while (r->body.len < bytes) {
		size_t n = (size_t)MIN(bytes - r->body.len, (uint64_t)65536);
		int got;

		buf_reserve(&r->body, n);
		got = gzread(r->gz, r->body.p + r->body.len, (unsigned)n);
		if (got <= 0)
			return err_set(err, "%s/" BODIES_FILE " was cut short", r->dir);
		r->body.len += (size_t)got;
	}
	if (gzgetc(r->gz) != '\n')
		return err_set(err, "%s/" BODIES_FILE " was cut short", r->dir);
	buf_reserve(&r->body, 0);
	r->body.p[r->body.len] = '\0';
	out->body = buf_str(&r->body);
	return 1;
}

void recording_free(struct recording *r)
{
	if (!r)
		return;
	if (r->gz)
		gzclose(r->gz);
	json_decref(r->doc);
	buf_release(&r->body);
	free(r->dir);
	free(r);
}

/* ---- pure parts ------------------------------------------------------------------------------ */

void recording_strip_arguments(struct str dump, struct buf *out)
{
	struct str line;
	ptrdiff_t at;

	while (str_line(&dump, &line)) {
		at = str_rchr(line, '(');
		if (at > 0 && line.p[0] != '\t' && line.p[line.len - 1] == ')' &&
			!str_starts(line, STR("goroutine ")) &&
			!str_starts(line, STR("created by ")) &&
			!str_is(str_from(line, (size_t)at), "()")) {
			buf_add(out, line.p, (size_t)at);
			buf_adds(out, "(...)");
		} else {
			buf_addstr(out, line);
		}
		buf_addc(out, '\n');
	}
}

void recording_shift_start(
	struct str metrics, double from_s, double to_s, double speed, struct buf *out)
{
	static const char name[] = "process_start_time_seconds";
	struct str line, value;
	ptrdiff_t rest;
	size_t at;
	double start;

	while (str_line(&metrics, &line)) {
		at = sizeof(name) - 1;
		if (!str_starts(line, str_of(name)) || line.len <= at ||
			(line.p[at] != '{' && line.p[at] != ' ')) {
			buf_addstr(out, line);
			buf_addc(out, '\n');
			continue;
		}
		if (line.p[at] == '{')
			at = (size_t)str_rchr(line, '}') + 1;
		value = str_trim(str_from(line, at));
		rest = str_chr(value, ' '); /* a time stamp may follow */
		if (rest > 0)
			value = str_sub(value, 0, (size_t)rest);
		if (str_double(value, &start))
			buf_addf(out, "%.*s %.3f\n", (int)at, line.p,
				to_s + (start - from_s) / speed);
		else
			buf_addf(out, "%.*s\n", STR_ARG(line));
	}
}
