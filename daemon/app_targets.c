#include "app_internal.h"
#include "log.h"
#include "xalloc.h"

#include <stdlib.h>
#include <string.h>

static const char *text(struct str s)
{
	return s.len ? s.p : NULL;
}

/* Secrets of a job, read once. */
struct credentials {
	char *authorization, *password;
};

static void release_credentials(struct credentials *c)
{
	if (c->authorization)
		explicit_bzero(c->authorization, strlen(c->authorization));
	if (c->password)
		explicit_bzero(c->password, strlen(c->password));
	free(c->authorization);
	free(c->password);
}

static int read_credentials(const struct config_job *job, struct credentials *out, struct err *err)
{
	struct buf secret = BUF_INIT;
	int rc = 0;

	memset(out, 0, sizeof(*out));
	if (job->authorization.credentials_file.len) {
		rc = config_secret(job->authorization.credentials_file, &secret, err);
		if (rc == 0)
			out->authorization =
				xasprintf("%.*s %s", STR_ARG(job->authorization.type), secret.p);
	}
	buf_reset(&secret);
	if (rc == 0 && job->basic_auth.password_file.len) {
		rc = config_secret(job->basic_auth.password_file, &secret, err);
		if (rc == 0)
			out->password = str_dup(buf_str(&secret));
	}
	explicit_bzero(secret.p, secret.cap);
	buf_release(&secret);
	return rc;
}

static int add_target(struct app *a, const struct config_job *job, const struct credentials *secret,
	struct str address, const struct config_labels *labels, struct err *err)
{
	struct scrape_target_config c = {
		.job = job->name.p,
		.instance = address.p,
		.scheme = job->scheme == CONFIG_HTTPS ? "https" : "http",
		.address = address.p,
		.pprof_path = text(job->pprof_path),
		.metrics_path = text(job->metrics_path),
		.metrics_address = text(job->metrics_address),
		.interval_ms = job->scrape_interval_ms,
		.timeout_ms = job->scrape_timeout_ms,
		.body_limit_bytes = job->body_size_limit_bytes,
		.username = text(job->basic_auth.username),
		.password = secret->password,
		.authorization = secret->authorization,
		.ca_file = text(job->tls.ca_file),
		.cert_file = text(job->tls.cert_file),
		.key_file = text(job->tls.key_file),
		.server_name = text(job->tls.server_name),
		.insecure_skip_verify = job->tls.insecure_skip_verify,
	};
	struct target *t = pipeline_add(a->pipeline, job, address, labels, err);

	if (!t || !scrape_add(a->scrape, &c, t, err))
		return err_wrap(err, "target %s/%s", c.job, c.instance);
	a->ntargets++;
	return 0;
}

static int add_job(struct app *a, const struct config_job *job, struct err *err)
{
	struct credentials secret;
	int rc = read_credentials(job, &secret, err);

	if (rc)
		err_wrap(err, "job %.*s", STR_ARG(job->name));
	for (size_t i = 0; i < job->nstatics && rc == 0; i++) {
		const struct config_static *s = &job->statics[i];

		for (size_t k = 0; k < s->targets.n && rc == 0; k++) {
			if (a->ntargets >= a->config->targets_max) {
				log_limited(LEVEL_ERROR, "limits.targets",
					"more than limits.targets (%llu) targets: %.*s and further "
					"ones are "
					"not watched",
					(unsigned long long)a->config->targets_max,
					STR_ARG(s->targets.v[k]));
				a->left_out++;
				continue;
			}
			rc = add_target(a, job, &secret, s->targets.v[k], &s->labels, err);
		}
	}
	release_credentials(&secret);
	return rc;
}

int app_add_targets(struct app *a, struct err *err)
{
	for (size_t i = 0; i < a->config->njobs; i++) {
		if (add_job(a, &a->config->jobs[i], err))
			return -1;
	}
	return 0;
}
