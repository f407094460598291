#include "budget.h"

#include <math.h>
#include <string.h>

void budget_init(struct budget *b, double share, uint64_t interval_ms)
{
	*b = (struct budget){.share = share, .interval_ms = interval_ms, .every = 1};
}

bool budget_turn(struct budget *b)
{
	if (b->left) {
		b->left--;
		return false;
	}
	b->left = b->every - 1;
	return true;
}

double budget_cost_ms(const struct budget *b)
{
	double x = b->took_ms[0], y = b->took_ms[1], z = b->took_ms[2];

	if (b->n < 2)
		return NAN;
	if (b->n == 2)
		return fmin(x, y);
	return fmax(fmin(x, y), fmin(fmax(x, y), z));
}

void budget_note(struct budget *b, double took_ms)
{
	double cost, allowed = b->share * (double)b->interval_ms * b->every;

	if (b->share <= 0)
		return;
	memmove(b->took_ms + 1, b->took_ms, 2 * sizeof(b->took_ms[0]));
	b->took_ms[0] = took_ms;
	b->n = MIN(b->n + 1, 3u);
	cost = budget_cost_ms(b);
	if (isnan(cost))
		return;
	if (cost > allowed && b->interval_ms * b->every * 2 <= BUDGET_LONGEST_MS)
		b->every *= 2;
	else if (b->every > 1 && cost <= BUDGET_SPARE * allowed / 2)
		b->every /= 2;
	else
		return;
	b->left = b->every - 1;
}
