#include "prometheus.h"

#include <math.h>

const char *const prometheus_rule_text[PROMETHEUS_RULES] = {
	"deriv([5m]) > 1/min, for 10m",
	"deriv([1h]) > 10/h, for 30m",
	"predict_linear([1h], 4h) > 2x, for 15m",
	"> 10,000",
	"rose 5 times",
};

#define ROSE 5

/* Slope a minute of the samples of (i - minutes, i], and the value of the line at i. */
static double slope(const double *v, int i, int minutes, double *at)
{
	double n = 0, t = 0, x = 0, tt = 0, tx = 0, b;

	for (int k = i - minutes + 1 < 0 ? 0 : i - minutes + 1; k <= i; k++) {
		double u = k - i;

		if (isnan(v[k]))
			continue;
		n++;
		t += u;
		x += v[k];
		tt += u * u;
		tx += u * v[k];
	}
	if (n < 2)
		return NAN;
	b = (n * tx - t * x) / (n * tt - t * t);
	*at = (x - b * t) / n;
	return b;
}

static bool rose(const double *v, int i)
{
	if (i < ROSE)
		return false;
	for (int k = i - ROSE + 1; k <= i; k++)
		if (!(v[k] > v[k - 1]))
			return false;
	return true;
}

static bool holds(enum prometheus_rule rule, const double *v, int i, double unit)
{
	double at = 0, b;

	switch (rule) {
	case RULE_DERIV:
		return slope(v, i, 5, &at) > unit;
	case RULE_DERIV_HOUR:
		return slope(v, i, 60, &at) > 10 * unit / 60;
	case RULE_PREDICT:
		b = slope(v, i, 60, &at);
		return at + 240 * b > 2 * fmax(v[i], unit);
	case RULE_THRESHOLD:
		return v[i] > 10000 * unit;
	case RULE_ROSE:
		return rose(v, i);
	default:
		return false;
	}
}

int prometheus_first(enum prometheus_rule rule, const double *value, int n, int from, double unit)
{
	static const int lasts[PROMETHEUS_RULES] = {10, 30, 15, 0, 0};
	int since = -1;

	for (int i = 0; i < n; i++) {
		if (isnan(value[i]))
			continue; /* the alert's state stays over one missed evaluation */
		if (!holds(rule, value, i, unit))
			since = -1;
		else if (since < 0)
			since = i;
		if (since >= 0 && i - since >= lasts[rule] && i >= from)
			return i;
	}
	return -1;
}
