#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int read_all(int fd, struct buf *out)
{
	char piece[4096];
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (out->len + (size_t)n > CONFIG_SECRET_BYTES) {
			errno = EFBIG;
			return -1;
		}
		buf_add(out, piece, (size_t)n);
	}
	explicit_bzero(piece, sizeof(piece));
	return 0;
}

static int read_file(const char *path, struct buf *out, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;

	if (fd < 0)
		return err_set(err, "cannot open the secret %s: %s", path, strerror(errno));
	rc = read_all(fd, out);
	if (rc != 0)
		err_set(err, "cannot read the secret %s: %s", path, strerror(errno));
	close(fd);
	return rc;
}

static int read_credential(struct str name, struct buf *out, struct err *err)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	struct buf path = BUF_INIT;
	int rc;

	if (!dir || !*dir)
		return err_set(err,
			"the secret credential:%.*s: $CREDENTIALS_DIRECTORY is not set (the unit "
			"has "
			"no LoadCredential)",
			STR_ARG(name));
	buf_addf(&path, "%s/%.*s", dir, STR_ARG(name));
	rc = read_file(path.p, out, err);
	buf_release(&path);
	return rc;
}

static int read_env(struct str name, struct buf *out, struct err *err)
{
	char *copy = str_dup(name);
	const char *value = getenv(copy);

	free(copy);
	if (!value)
		return err_set(
			err, "the secret env:%.*s: there is no such variable", STR_ARG(name));
	if (strlen(value) > CONFIG_SECRET_BYTES)
		return err_set(err, "the secret env:%.*s is longer than %d bytes", STR_ARG(name),
			CONFIG_SECRET_BYTES);
	buf_adds(out, value);
	return 0;
}

int config_secret(struct str name, struct buf *out, struct err *err)
{
	char *path;
	int rc;

	buf_reset(out);
	if (str_starts(name, STR("credential:"))) {
		rc = read_credential(str_from(name, 11), out, err);
	} else if (str_starts(name, STR("env:"))) {
		rc = read_env(str_from(name, 4), out, err);
	} else {
		path = str_dup(name);
		rc = read_file(path, out, err);
		free(path);
	}
	while (rc == 0 && out->len &&
		(out->p[out->len - 1] == '\n' || out->p[out->len - 1] == '\r'))
		out->p[--out->len] = 0;
	if (rc == 0 && out->len == 0)
		return err_set(err, "the secret %.*s is empty", STR_ARG(name));
	return rc;
}
