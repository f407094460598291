/*
 * classify: ordered rules that name a stack's class.  Layer 1.
 *
 * The first rule whose match holds takes the stack; what no rule takes is named by
 * stack_class_name. Function keys are byte prefixes of names in normal form (and are brought into
 * it themselves: a name copied from a dump with "%2e" works), or regular expressions (PCRE2,
 * unanchored, UTF-8 where the name is, without JIT).  A class is decidable from debug=1: no key
 * asks for a state, an age or a creator.
 *
 * A regular expression that runs into a limit does not match, and is counted.  The classifier may
 * be used by one thread at a time.
 */
#ifndef LEAKWATCH_CLASSIFY_H
#define LEAKWATCH_CLASSIFY_H

#include "err.h"
#include "stack.h"

#define CLASSIFY_REGEX_MAX    1000 /* bytes of a regular expression */
#define CLASSIFY_MATCH_LIMIT  20000 /* steps of one match (PCRE2's match limit) */
#define CLASSIFY_DEPTH_LIMIT  1000 /* nested backtracking points */
#define CLASSIFY_HEAP_KIB     1024 /* memory of one match */
#define CLASSIFY_SPLIT_MAX    50 /* values of a label that split a class; the rest is "other" */
#define CLASSIFY_LOCATION_MAX 4096 /* bytes of a "path:line"; regular expressions see no longer */

struct pattern {
	bool regex; /* {re: "…"}: text is a PCRE2 pattern */
	struct str text; /* else a prefix (functions), a suffix of "path" or "path:line" with the
			  * whole line number (file), or the whole (labels) */
	uint32_t line, column; /* of the configuration, for errors; 0 when unknown */
};

struct pattern_list {
	struct pattern *v;
	size_t n;
};

struct label_match {
	struct str key;
	struct pattern_list values;
};

/* All given keys must hold; a list is any-of.  An empty match holds for every stack. */
struct match {
	struct pattern_list mentions; /* any frame, the runtime's too */
	struct pattern_list entry; /* the frame the goroutine started in */
	struct pattern_list top; /* the first frame outside the runtime */
	struct pattern_list file; /* suffix of a frame's path or path:line */
	unsigned waits; /* bit (1 << enum wait_kind); 0 = not asked */
	struct label_match *labels;
	size_t nlabels;
	struct match *not_match; /* holds when none of its keys does; NULL when not given */
};

struct rule {
	struct str name;
	struct match match;
	struct str hint;
	double expect_max; /* goroutines that are healthy; NAN when not given */
	struct str expect_metric; /* max_metric: name or name{label="v"}; "" when not given */
	double expect_factor; /* default 1 */
	double expect_slack; /* default 0 */
	double limit; /* ceiling to forecast against; NAN when not given */
	struct str load_metric; /* "" = the job's */
	struct str split_by; /* label that splits the class; "" = none */
	bool ignore; /* counted and shown, never judged */
	bool builtin; /* from the file that ships with the program */
};

struct classifier;

/*
 * rules must outlive the classifier.  NULL with err when a regular expression is not accepted; the
 * message begins with "line:column: " of the pattern.
 */
struct classifier *classifier_new(const struct rule *rules, size_t n, struct err *err);
void classifier_free(struct classifier *c);

/* The first rule that takes s, or NULL. */
const struct rule *classifier_match(const struct classifier *c, const struct stack *s);
/* The class: the rule's name or the automatic one; the name is the rule's or in a. */
struct str classifier_name(const struct classifier *c, const struct stack *s, struct arena *a,
	const struct rule **rule);

/*
 * The class that split_by makes of the rule's for this stack's label: "checkout{handler=/cart}", in
 * a; with other, "checkout{handler=other}", for values past CLASSIFY_SPLIT_MAX (who counts classes
 * knows how many there are).  "" when the rule does not split or the stack has no such label.
 * Longer than STACK_CLASS_NAME_MAX is cut and ends in "~" and a hash.
 */
struct str classifier_split(
	const struct rule *rule, const struct stack *s, struct arena *a, bool other);
/* Whether the class is the rule's: has its name, or was split off it. */
bool classifier_is_of(const struct rule *rule, struct str class_name);

/* Matches that ran into a limit since the classifier was made. */
uint64_t classifier_gave_up(const struct classifier *c);

#endif
