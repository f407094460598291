/*
 * A main for fuzzers without libFuzzer: feeds them the files and directories on the command line.
 * A crash or an abort is the failure; so is having been given nothing to feed.
 */
#include "buf.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long fed;

static int feed_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct buf b = BUF_INIT;
	char piece[65536];
	size_t n;

	if (!f) {
		perror(path);
		return -1;
	}
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(&b, piece, n);
	fclose(f);
	LLVMFuzzerTestOneInput((const uint8_t *)b.p, b.len);
	buf_release(&b);
	fed++;
	return 0;
}

static int feed_dir(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int rc = 0;

	if (!d) {
		perror(path);
		return -1;
	}
	while ((e = readdir(d)) != NULL) {
		struct buf b = BUF_INIT;
		struct stat st;

		buf_addf(&b, "%s/%s", path, e->d_name);
		if (stat(b.p, &st) == 0 && S_ISREG(st.st_mode))
			rc |= feed_file(b.p);
		buf_release(&b);
	}
	closedir(d);
	return rc;
}

int main(int argc, char **argv)
{
	int rc = 0;

	for (int i = 1; i < argc; i++) {
		struct stat st;

		if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
			rc |= feed_dir(argv[i]);
		else
			rc |= feed_file(argv[i]);
	}
	printf("%lu inputs\n", fed);
	return rc || !fed;
}
