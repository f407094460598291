/*
 * prometheus: what the rules that people write today would say of a series.  For tests only.
 *
 * Each rule is told one sample a minute in order and says whether it fires then; functions are
 * those of Prometheus (deriv and predict_linear: least squares over the range), samples that are
 * missing are missing there too.
 */
#ifndef LEAKWATCH_PROMETHEUS_H
#define LEAKWATCH_PROMETHEUS_H

#include "base.h"

enum prometheus_rule {
	RULE_DERIV, /* deriv(go_goroutines[5m]) > 1/60, for: 10m */
	RULE_DERIV_HOUR, /* deriv(go_goroutines[1h]) > 10/3600, for: 30m */
	RULE_PREDICT, /* predict_linear(go_goroutines[1h], 4*3600) > 2 * it, for: 15m */
	RULE_THRESHOLD, /* go_goroutines > 10000 */
	RULE_ROSE, /* rose in five looks of a minute running (MoniGo, goroscope) */
	PROMETHEUS_RULES
};

extern const char *const prometheus_rule_text[PROMETHEUS_RULES];

/*
 * The first minute at or after `from` in which the rule's alert fires; -1: never.  value[i] of n
 * minutes, NAN where a scrape failed; unit: what counts as one goroutine.
 */
int prometheus_first(enum prometheus_rule rule, const double *value, int n, int from, double unit);

#endif
