/*
 * How long the transactions that fold and delete hold the writer in a large file:
 *
 *   bench_large [GIB [DIRECTORY [SECONDS]]]    1 GiB in /tmp, 120 s for each of the three parts
 *
 * The file is what a daemon has after 400 days: scrapes of 48 h, buckets of 5 minutes for 30 days
 * and of an hour for 400, of as many targets of 200 classes as make that size.  It is filled by
 * SQL, in the order in which a daemon would have written it, since only that makes the rows of one
 * target lie as far from each other as they do in life.  Then the store's own house-keeping works
 * on it, as fast as it can, between scrapes of all targets: in step with time, after retention was
 * made shorter by a quarter, and with a file that is over max_size.  What the system has cached of
 * the file is dropped before each.
 *
 * Told is how long a batch that comes meanwhile has to wait: from the beginning of each transaction
 * to the end of its commit.  By themselves stand those in which the log begins anew, which takes
 * one sync of one page whoever does it, and the scrapes that are synced.  Beside it stands what the
 * disk took for a single page meanwhile, read or written and synced, which no transaction can
 * undercut.
 */
#include "clock.h"
#include "store_read.h"
#include "store_wal.h"
#include "writer_house.h"
#include "writer_move.h"
#include "xalloc.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLASSES	   200
#define VARIANTS   64
#define NOW	   (1700000000000ll / STORE_HOUR_MS * STORE_HOUR_MS)
#define MINUTE_MS  60000
#define DAY_MS	   86400000ll
#define RAW_MS	   (2 * DAY_MS)
#define M5_MS	   (30 * DAY_MS)
#define H1_MS	   (400 * DAY_MS)
#define TARGET_MIB 80 /* about what one target comes to */
#define LIMIT_MS   50
#define MANY	   (1 << 20)

static char path[256];
static int64_t targets;
static int seconds; /* of each part */
static sqlite3 *db;
static struct buf scrape_text[2][VARIANTS], bucket_text[2][VARIANTS]; /* changes, and full ones */

static void must(int rc, const struct err *err)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "%s\n", err->msg);
	exit(1);
}

static void sql(const char *text)
{
	char *why = NULL;

	if (sqlite3_exec(db, text, NULL, NULL, &why) == SQLITE_OK)
		return;
	fprintf(stderr, "%s: %s\n", text, why);
	exit(1);
}

static void make_texts(void)
{
	unsigned seed = 1;

	for (int i = 0; i < VARIANTS * 2; i++) {
		struct buf *s = &scrape_text[i % 2][i / 2], *b = &bucket_text[i % 2][i / 2];

		buf_init(s);
		buf_init(b);
		for (int64_t c = 0; c < CLASSES; c++) {
			int v = 10 + rand_r(&seed) % 290, w = rand_r(&seed) % 11;

			if (i % 2 || rand_r(&seed) % 10 < 3)
				buf_addf(s, "%s\"%d\":%d", s->len ? "," : "{", (int)c, v);
			if (rand_r(&seed) % 10 < 8)
				buf_addf(b, "%s\"%d\":[%d,%d.%d,%d,%d]", b->len ? "," : "{", (int)c,
					v, v + w / 2, rand_r(&seed) % 10, v + w, v + 1);
			else if (i % 2)
				buf_addf(b, "%s\"%d\":%d", b->len ? "," : "{", (int)c, v);
		}
		buf_addc(s, '}');
		buf_addc(b, '}');
	}
}

static void put_names(struct store *s)
{
	struct store_batch *b = store_batch_new();
	struct err err;

	for (int64_t t = 1; t <= targets; t++) {
		store_put_target(b,
			&(struct store_target){.id = t, .job = STR("bench"), .instance = STR("i")});
		for (int64_t c = 0; c < CLASSES; c++) {
			struct store_class class = {
				.id = t * 1000 + c, .target_id = t, .name = STR("a.class/of.it")};

			store_put_class(b, &class);
			store_put_series(b, &(struct store_series){.id = class.id,
						    .target_id = t,
						    .class_id = class.id,
						    .name = class.name});
		}
	}
	must(store_apply(s, &b, 1, 0, &err), &err);
	store_batch_free(b);
}

static int64_t scrape_id(int64_t target, int64_t at_ms)
{
	return (at_ms - (NOW - RAW_MS)) / MINUTE_MS * targets + target;
}

static void step(sqlite3_stmt *st)
{
	if (sqlite3_step(st) != SQLITE_DONE) {
		fprintf(stderr, "%s\n", sqlite3_errmsg(db));
		exit(1);
	}
	sqlite3_reset(st);
}

static void insert_scrape(sqlite3_stmt *st, int64_t target, int64_t at_ms)
{
	int64_t n = at_ms / MINUTE_MS + target;
	const struct buf *text = &scrape_text[n % 32 == 0][n % VARIANTS];

	sqlite3_bind_int64(st, 1, scrape_id(target, at_ms));
	sqlite3_bind_int64(st, 2, target);
	sqlite3_bind_int64(st, 3, at_ms);
	sqlite3_bind_int(st, 4, n % 32 == 0);
	sqlite3_bind_int64(st, 5, target * 1000);
	sqlite3_bind_text(st, 6, text->p, (int)text->len, SQLITE_STATIC);
	step(st);
}

/* upto: the last scrape, or bucket of 5 minutes, that is in it. */
static void insert_bucket(
	sqlite3_stmt *st, int64_t target, int64_t width_ms, int64_t at_ms, int64_t upto)
{
	int64_t n = at_ms / width_ms;
	const struct buf *text = &bucket_text[n % 12 == 0][(n + target) % VARIANTS];

	sqlite3_bind_int64(st, 1, target);
	sqlite3_bind_int64(st, 2, width_ms);
	sqlite3_bind_int64(st, 3, at_ms);
	sqlite3_bind_int64(st, 4, width_ms / MINUTE_MS);
	sqlite3_bind_int64(st, 5, upto);
	sqlite3_bind_int(st, 6, n % 12 == 0);
	sqlite3_bind_int64(st, 7, target * 1000);
	sqlite3_bind_text(st, 8, text->p, (int)text->len, SQLITE_STATIC);
	step(st);
}

static sqlite3_stmt *prepare(const char *text)
{
	sqlite3_stmt *st;

	if (sqlite3_prepare_v2(db, text, -1, &st, NULL) == SQLITE_OK)
		return st;
	fprintf(stderr, "%s\n", sqlite3_errmsg(db));
	exit(1);
}

/* The buckets that end at this moment, of all targets. */
static void fill_buckets(sqlite3_stmt *st, int64_t *newest, int64_t end_ms, int64_t width_ms)
{
	for (int64_t t = 1; t <= targets; t++) {
		bool raw = end_ms > NOW - RAW_MS;
		int64_t upto = width_ms == STORE_HOUR_MS ? newest[t]
			       : raw			 ? scrape_id(t, end_ms - MINUTE_MS)
							 : 0;

		insert_bucket(st, t, width_ms, end_ms - width_ms, upto);
		if (width_ms == STORE_5M_MS)
			newest[t] = sqlite3_last_insert_rowid(db);
	}
}

static void fill(void)
{
	int64_t *newest = xcalloc((size_t)targets + 1, sizeof(*newest));
	sqlite3_stmt *scrape, *bucket;

	if (sqlite3_open(path, &db) != SQLITE_OK)
		exit(1);
	sql("PRAGMA synchronous = OFF; PRAGMA cache_size = -262144; PRAGMA locking_mode = "
	    "EXCLUSIVE; PRAGMA journal_mode = OFF; BEGIN");
	scrape = prepare("INSERT INTO scrape VALUES(?1,?2,?3,3,?4,?5,?6)");
	bucket = prepare("INSERT INTO bucket(target_id,width_ms,at_ms,samples,upto,is_full,base,"
			 "changes) VALUES(?1,?2,?3,?4,?5,?6,?7,?8)");
	for (int64_t at = NOW - H1_MS; at < NOW;) {
		if (at >= NOW - RAW_MS) {
			for (int64_t t = 1; t <= targets; t++)
				insert_scrape(scrape, t, at);
			at += MINUTE_MS;
		} else {
			at += at >= NOW - M5_MS ? STORE_5M_MS : STORE_HOUR_MS;
		}
		if (at % STORE_5M_MS == 0 && at > NOW - M5_MS)
			fill_buckets(bucket, newest, at, STORE_5M_MS);
		if (at % STORE_HOUR_MS == 0) {
			fill_buckets(bucket, newest, at, STORE_HOUR_MS);
			sql("COMMIT; BEGIN");
		}
	}
	sqlite3_finalize(scrape);
	sqlite3_finalize(bucket);
	sql("COMMIT");
	sqlite3_close(db);
	free(newest);
}

/* ---- what is measured ---------------------------------------------------------- */

struct times {
	double *v;
	size_t n;
	size_t over, busy; /* longer than LIMIT_MS; that only while no processor was free */
	double longest; /* but for such time */
};

/* How long this thread has been ready to run and was not, in milliseconds; 0: not known. */
static double starved_ms(void)
{
	static int fd = -2;
	char text[100];
	double ns = 0;
	ssize_t n;

	if (fd == -2)
		fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);
	text[MAX(n, 0)] = '\0';
	return n > 0 && sscanf(text, "%*s %lf", &ns) == 1 ? ns / 1e6 : 0;
}

/* starved: as of the beginning. */
static void add(struct times *t, double ms, double starved)
{
	double waited = starved_ms() - starved;

	if (!t->v)
		t->v = xcalloc(MANY, sizeof(*t->v));
	if (t->n < MANY)
		t->v[t->n++] = ms;
	t->over += ms > LIMIT_MS;
	t->busy += ms > LIMIT_MS && ms - waited <= LIMIT_MS;
	t->longest = MAX(t->longest, ms - waited);
}

/* What is measured of the transactions, those in which the log began anew by themselves. */
struct bites {
	struct store *store;
	int logs;
	double starved;
	struct times times[HOUSE_BITES], anew, writes, synced;
};

static void bite_cb(void *arg, enum house_bite what, double ms)
{
	struct bites *b = arg;
	int logs = store_wal_logs(b->store);

	add(logs == b->logs ? &b->times[what] : &b->anew, ms, b->starved);
	b->logs = logs;
	b->starved = starved_ms();
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void print_times(const char *what, struct times *t)
{
	if (!t->n)
		return;
	qsort(t->v, t->n, sizeof(*t->v), by_size);
	printf("  %-22s %7zu, median %5.1f ms, 99th percentile %5.1f, longest %5.1f, "
	       "%zu over %d ms",
		what, t->n, t->v[t->n / 2], t->v[t->n * 99 / 100], t->v[t->n - 1], t->over,
		LIMIT_MS);
	if (t->busy)
		printf(" (%zu of them by waiting for a processor, longest else %.1f)", t->busy,
			t->longest);
	printf("\n");
	free(t->v);
}

static void apply_scrapes(struct store *s, int64_t at_ms, struct bites *bites)
{
	struct err err;

	for (int64_t t = 1; t <= targets; t++) {
		int64_t n = at_ms / MINUTE_MS + t;
		struct store_batch *b = store_batch_new();
		double starved;
		uint64_t start;

		store_add_scrape(b, &(struct store_scrape){.target_id = t,
					    .at_ms = at_ms,
					    .got = STORE_GOT_GOROUTINES,
					    .full = n % 32 == 0});
		for (int64_t c = 0; c < CLASSES; c++) {
			if (n % 32 == 0 || (n + c * 7) % 10 < 3)
				store_add_value(b, t * 1000 + c, (double)((n * 31 + c) % 300));
		}
		starved = starved_ms();
		start = clock_mono_us();
		must(store_apply(s, &b, 1, at_ms, &err), &err);
		/* A minute is over: the first one waits for a sync, as every 5 s in life. */
		add(t == 1 ? &bites->synced : &bites->writes,
			(double)(clock_mono_us() - start) / 1000, starved);
		bites->logs = store_wal_logs(s);
		store_batch_free(b);
	}
}

/* Everything is read from the disk again, as in a file that is larger than memory. */
static void drop_cache(void)
{
	int fd = open(path, O_RDONLY);

	if (fd >= 0) {
		fsync(fd);
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		close(fd);
	}
}

/* What the disk takes at the least just now: one page read from anywhere in the file. */
static void read_page(int fd, struct times *times)
{
	static unsigned seed = 1;
	char page[4096];
	struct stat sb;
	double starved;
	uint64_t start;
	off_t at;

	if (fstat(fd, &sb) < 0 || sb.st_size < (off_t)sizeof(page))
		return;
	at = (off_t)((double)rand_r(&seed) / RAND_MAX * (double)(sb.st_size / 4096 - 1)) * 4096;
	starved = starved_ms();
	start = clock_mono_us();
	if (pread(fd, page, sizeof(page), at) == (ssize_t)sizeof(page))
		add(times, (double)(clock_mono_us() - start) / 1000, starved);
}

/* And a sync of one that was written, to a file beside it. */
static void write_page(int fd, struct times *times)
{
	char page[4096] = {0};
	double starved = starved_ms();
	uint64_t start = clock_mono_us();

	if (pwrite(fd, page, sizeof(page), 0) == (ssize_t)sizeof(page) && fdatasync(fd) == 0)
		add(times, (double)(clock_mono_us() - start) / 1000, starved);
}

static int open_side(void)
{
	char side[300];
	int fd;

	snprintf(side, sizeof(side), "%s.page", path);
	fd = open(side, O_RDWR | O_CREAT, 0600);
	unlink(side);
	return fd;
}

static bool keep(struct house *h, int64_t now, struct bites *b)
{
	b->starved = starved_ms();
	return house_keep(h, now);
}

static int64_t run(struct house *h, const char *what, int64_t now, int minutes, int rounds_max)
{
	static const char *const words[] = {
		"folding", "deleting", "looking at the file", "giving pages back"};
	struct bites bites = {.store = h->store, .logs = store_wal_logs(h->store)};
	struct times reads = {0}, syncs = {0};
	uint64_t folded = h->folded, pruned = h->pruned, start = clock_mono_ms();
	uint64_t end = start + (uint64_t)seconds * 1000;
	struct mover_stats moves;
	int db_fd = open(path, O_RDONLY), side_fd = open_side(), rounds = 0;

	h->on_bite = bite_cb;
	h->arg = &bites;
	drop_cache();
	for (int i = 0; i < minutes && clock_mono_ms() < end; i++, now += MINUTE_MS) {
		apply_scrapes(h->store, now, &bites);
		mover_offer(h->mover);
		for (int n = 0; keep(h, now, &bites) && n < rounds_max && clock_mono_ms() < end;
			n++) {
			mover_wait(h->mover, 1000);
			if (rounds++ % 8 == 0)
				read_page(db_fd, &reads);
			if (rounds % 64 == 0)
				write_page(side_fd, &syncs);
		}
	}
	printf("%s: %d minutes in %.0f s, %llu buckets made, %llu rows deleted, %.2f GiB used\n",
		what, minutes, (double)(clock_mono_ms() - start) / 1e3,
		(unsigned long long)(h->folded - folded), (unsigned long long)(h->pruned - pruned),
		(double)h->used_bytes / (1 << 30));
	for (int i = 0; i < HOUSE_BITES; i++)
		print_times(words[i], &bites.times[i]);
	print_times("one of those with sync", &bites.anew);
	print_times("a scrape written", &bites.writes);
	print_times("a scrape synced", &bites.synced);
	print_times("one page read", &reads);
	print_times("one page synced", &syncs);
	mover_stats(h->mover, &moves);
	printf("  the log moved %llu times, longest %.0f ms\n", (unsigned long long)moves.moves,
		moves.longest_ms);
	fflush(stdout);
	close(db_fd);
	close(side_fd);
	return now;
}

static void remove_all(void)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock", ".ballast"};
	char side[300];

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		snprintf(side, sizeof(side), "%s%s", path, suffixes[i]);
		unlink(side);
	}
}

static struct store *must_open(void)
{
	struct store_opened opened;
	struct store *s;
	struct err err;

	if (store_open(path, NOW, &s, &opened, &err) == STORE_OPEN_OK)
		return s;
	fprintf(stderr, "%s\n", err.msg);
	exit(1);
}

int main(int argc, char **argv)
{
	double gib = argc > 1 ? atof(argv[1]) : 1;
	struct store_keep keep = {.raw_ms = RAW_MS, .m5_ms = M5_MS, .h1_ms = H1_MS, .fold = true};
	struct house house;
	struct stat sb;
	struct err err;
	int64_t now;

	snprintf(path, sizeof(path), "%s/bench_large.db", argc > 2 ? argv[2] : "/tmp");
	seconds = argc > 3 ? atoi(argv[3]) : 120;
	targets = MAX((int64_t)(gib * 1024 / TARGET_MIB), 1);
	remove_all();
	make_texts();
	house_init(&house, must_open());
	put_names(house.store);
	store_close(house.store);
	fill();
	if (stat(path, &sb) == 0)
		printf("%lld targets of %d classes for 400 days: %.2f GiB\n", (long long)targets,
			CLASSES, (double)sb.st_size / (1 << 30));
	fflush(stdout);
	house_init(&house, must_open());
	house.keep = keep;
	house.mover = mover_new(house.store, 0, &err);
	if (!house.mover)
		must(-1, &err);
	now = run(&house, "in step", NOW, 60, MANY);
	house.keep.raw_ms -= RAW_MS / 4;
	house.keep.m5_ms -= M5_MS / 4;
	house.keep.h1_ms -= H1_MS / 4;
	now = run(&house, "retention cut by a quarter", now, 20, 200);
	house.keep = keep;
	house.max_size = house.used_bytes * 9 / 10;
	run(&house, "over max_size", now, 20, 200);
	if (!mover_stop(house.mover, 60000) || !mover_free(house.mover))
		return 1;
	store_close(house.store);
	remove_all();
	return 0;
}
