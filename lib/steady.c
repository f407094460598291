#include "steady.h"

void steady_turn(struct steady *s, int64_t wall_ms, uint64_t mono_ms)
{
	if (s->turned) {
		s->passed_ms = (int64_t)(mono_ms - s->mono_ms);
		s->set_ms = wall_ms - s->wall_ms - s->passed_ms;
	}
	s->turned = true;
	s->wall_ms = wall_ms;
	s->mono_ms = mono_ms;
}

void steady_mend(const struct steady *s, struct since *w)
{
	if (w->met)
		w->at_ms += s->set_ms;
	else if (s->passed_ms < s->wall_ms)
		w->at_ms = MAX(w->at_ms, s->wall_ms - s->passed_ms);
	w->at_ms = MIN(w->at_ms, s->wall_ms);
	w->met = true;
}
