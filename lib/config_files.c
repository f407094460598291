/* Are the files that a configuration names there? */
#include "config_internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void check_file(
	const struct section *s, const struct key *k, const char *path, struct config_errors *errs)
{
	if (access(path, R_OK) != 0)
		config_warning(errs, 0, 0, "%s.%s: cannot read %s: %s", s->name, k->name, path,
			strerror(errno));
}

static void visit(const struct section *s, const void *object, struct config_errors *errs)
{
	for (const struct key *k = s->keys; k->name; k++) {
		const void *field = (const char *)object + k->at;
		const struct str *text = field;
		const char *v;
		size_t n;

		if (k->type == KEY_SECTION) {
			visit(k->section, field, errs);
		} else if (k->type == KEY_SECTIONS || k->type == KEY_NAMED_SECTIONS) {
			memcpy(&v, field, sizeof(v));
			memcpy(&n, (const char *)field + sizeof(v), sizeof(n));
			for (size_t i = 0; i < n; i++)
				visit(k->section, v + i * k->section->size, errs);
		} else if ((k->type == KEY_SECRET || k->flags & KEY_EXISTS) && text->len &&
			   text->p[0] == '/') {
			check_file(s, k, text->p, errs);
		}
	}
}

void config_check_files(const struct config *c, struct config_errors *errs)
{
	visit(&config_root, c, errs);
}
