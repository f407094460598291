#include "config_internal.h"

#include <string.h>

bool config_label_name_ok(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!((c | 32) >= 'a' && (c | 32) <= 'z') && c != '_' &&
			!(i > 0 && c >= '0' && c <= '9'))
			return false;
	}
	return s.len > 0;
}

int config_check_label_name(struct str s, struct err *err)
{
	if (!config_label_name_ok(s))
		return err_set(
			err, "\"%.*s\" is no label name: letters, digits and _ only", STR_ARG(s));
	return 0;
}

static int check_port(struct str s, struct str port, struct err *err)
{
	uint64_t n;

	if (!str_u64(port, &n) || n < 1 || n > 65535)
		return err_set(
			err, "\"%.*s\" has no port from 1 to 65535 behind the colon", STR_ARG(s));
	return 0;
}

static bool host_ok(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!((c | 32) >= 'a' && (c | 32) <= 'z') && !(c >= '0' && c <= '9') && c != '-' &&
			c != '.' && c != '_')
			return false;
	}
	return s.len > 0 && s.len <= 253;
}

static int check_ipv6(struct str s, struct err *err)
{
	ptrdiff_t end = str_chr(s, ']');
	bool ok = end >= 3 && (size_t)end + 1 < s.len && s.p[end + 1] == ':';

	for (ptrdiff_t i = 1; ok && i < end; i++)
		ok = memchr("0123456789abcdefABCDEF:.", s.p[i], 24) != NULL;
	if (!ok)
		return err_set(err, "\"%.*s\" is no address: write it as [::1]:6060", STR_ARG(s));
	return check_port(s, str_from(s, (size_t)end + 2), err);
}

int config_check_target(struct str s, struct err *err)
{
	ptrdiff_t scheme = str_find(s, STR("://")), slash = str_chr(s, '/'), colon;

	if (str_starts(s, STR("unix:"))) {
		if (s.len < 7 || s.p[5] != '/')
			return err_set(err,
				"\"%.*s\" has no absolute path: write it as "
				"unix:/run/app/pprof.sock",
				STR_ARG(s));
		if (s.len - 5 > 107)
			return err_set(err, "\"%.*s\": the path of a socket has at most 107 bytes",
				STR_ARG(s));
		return 0;
	}
	if (scheme >= 0)
		return err_set(err,
			"\"%.*s\" is a URL: write host:port here, \"%.*s\" as the "
			"job's scheme and the path as its pprof_path",
			STR_ARG(s), (int)scheme, s.p);
	if (slash >= 0)
		return err_set(err,
			"\"%.*s\" has a path: write host:port here, the path as the "
			"job's pprof_path",
			STR_ARG(s));
	if (s.len && s.p[0] == '[')
		return check_ipv6(s, err);
	colon = str_rchr(s, ':');
	if (colon < 0)
		return err_set(err, "\"%.*s\" has no port: write it as host:port", STR_ARG(s));
	if (str_chr(s, ':') != colon)
		return err_set(err,
			"\"%.*s\" has two colons: an IPv6 address is written [::1]:6060",
			STR_ARG(s));
	if (!host_ok(str_sub(s, 0, (size_t)colon)))
		return err_set(err, "\"%.*s\" has no host before the colon", STR_ARG(s));
	return check_port(s, str_from(s, (size_t)colon + 1), err);
}

int config_check_url(struct str s, struct err *err)
{
	struct str rest, host;
	size_t end = 0;

	if (str_starts(s, STR("http://")))
		rest = str_from(s, 7);
	else if (str_starts(s, STR("https://")))
		rest = str_from(s, 8);
	else
		return err_set(err, "\"%.*s\" does not begin with http:// or https://", STR_ARG(s));
	while (end < rest.len && !memchr("/?#", rest.p[end], 3))
		end++;
	host = str_sub(rest, 0, end);
	/* Not repeated in the message: it may be a password. */
	if (str_chr(host, '@') >= 0)
		return err_set(err, "a URL may not hold a name and password here: use basic_auth, "
				    "or a *_file key for the whole URL");
	if (host.len == 0)
		return err_set(err, "\"%.*s\" has no host", STR_ARG(s));
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 127)
			return err_set(err, "\"%.*s\" has a space in it", STR_ARG(s));
	}
	return 0;
}

int config_check_secret(struct str s, struct err *err)
{
	struct str name;

	if (str_starts(s, STR("credential:")))
		name = str_from(s, 11);
	else if (str_starts(s, STR("env:")))
		name = str_from(s, 4);
	else
		return 0;
	if (name.len == 0 || str_chr(name, '/') >= 0 || str_is(name, ".."))
		return err_set(err, "\"%.*s\" has no name behind the colon", STR_ARG(s));
	return 0;
}
