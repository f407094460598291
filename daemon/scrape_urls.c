#include "buf.h"
#include "scrape.h"
#include "xalloc.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 100 /* bytes of a wrong value that an error quotes */

static bool empty(const char *s)
{
	return !s || !*s;
}

/* The first byte that has no place in an address or path, or NULL. */
static const char *bad_byte(const char *s, const char *also)
{
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f || strchr(also, *s))
			return s;
	return NULL;
}

static int check_address(const char *address, struct err *err)
{
	if (empty(address))
		return err_set(err, "the address is empty: write host:port or unix:/path");
	if (strstr(address, "://"))
		return err_set(err,
			"address \"%.*s\" has a scheme in it: write host:port, and scheme: https "
			"where it is",
			SHOWN_MAX, address);
	if (strncmp(address, "unix:", 5) == 0)
		return address[5] == '/' ? 0
					 : err_set(err,
						   "address \"%.*s\": the path of a unix socket "
						   "begins with /",
						   SHOWN_MAX, address);
	if (bad_byte(address, "/?#@\\"))
		return err_set(err,
			"address \"%.*s\" is not host:port (paths go into pprof_path and "
			"metrics_path)",
			SHOWN_MAX, address);
	return 0;
}

static int check_path(const char *key, const char *path, const char *also, struct err *err)
{
	if (path[0] != '/')
		return err_set(err, "%s \"%.*s\" does not begin with /", key, SHOWN_MAX, path);
	if (bad_byte(path, also))
		return err_set(err,
			"%s \"%.*s\" has a character that a path cannot have (write it as %%20 and "
			"the like)",
			key, SHOWN_MAX, path);
	return 0;
}

/* "http://host:port", and the socket where the address is one. */
static char *origin(const char *scheme, const char *address, char **socket)
{
	bool local = strncmp(address, "unix:", 5) == 0;

	*socket = local ? xstrdup(address + 5) : NULL;
	return xasprintf("%s://%s", scheme, local ? "localhost" : address);
}

static void build(const struct scrape_target_config *config, struct scrape_urls *out)
{
	const char *scheme = empty(config->scheme) ? "http" : config->scheme;
	const char *path = empty(config->pprof_path) ? "/debug/pprof" : config->pprof_path;
	char *base = origin(scheme, config->address, &out->pprof_socket);
	size_t len = strlen(path);

	while (len && path[len - 1] == '/')
		len--;
	out->goroutine = xasprintf("%s%.*s/goroutine?debug=1", base, (int)len, path);
	out->index = xasprintf("%s%.*s/", base, (int)len, path);
	out->dump = xasprintf("%s%.*s/goroutine?debug=2", base, (int)len, path);
	out->leaks = xasprintf("%s%.*s/goroutineleak?debug=1", base, (int)len, path);
	out->symbol = xasprintf("%s%.*s/symbol?", base, (int)len, path);
	free(base);
	if (empty(config->metrics_path))
		return;
	base = origin(scheme,
		empty(config->metrics_address) ? config->address : config->metrics_address,
		&out->metrics_socket);
	out->metrics = xasprintf("%s%s", base, config->metrics_path);
	free(base);
}

int scrape_urls_build(
	const struct scrape_target_config *config, struct scrape_urls *out, struct err *err)
{
	memset(out, 0, sizeof(*out));
	if (!empty(config->scheme) && strcmp(config->scheme, "http") != 0 &&
		strcmp(config->scheme, "https") != 0)
		return err_set(err, "scheme \"%.*s\" is neither http nor https", SHOWN_MAX,
			config->scheme);
	if (check_address(config->address, err) < 0)
		return -1;
	if (!empty(config->metrics_address) && check_address(config->metrics_address, err) < 0)
		return err_wrap(err, "metrics_address");
	if (!empty(config->pprof_path) &&
		check_path("pprof_path", config->pprof_path, "?#", err) < 0)
		return -1;
	if (!empty(config->metrics_path) &&
		check_path("metrics_path", config->metrics_path, "#", err) < 0)
		return -1;
	build(config, out);
	return 0;
}

void scrape_urls_release(struct scrape_urls *urls)
{
	free(urls->goroutine);
	free(urls->symbol);
	free(urls->index);
	free(urls->dump);
	free(urls->leaks);
	free(urls->metrics);
	free(urls->pprof_socket);
	free(urls->metrics_socket);
	memset(urls, 0, sizeof(*urls));
}
