/*
 * mend_internal: what the files of mend share.  Layer 1, private to mend*.c.
 *
 * A line goes through four stages, each a function that hands lines to the next:
 *   mend.c         bytes to lines; what is clean leaves here, in one piece
 *   mend_text.c    mend_record: out of a log's records;  mend_text: colours, HTML, escapes
 *   mend_prefix.c  mend_unprefix: what stands before every line
 *   mend_stack.c   mend_stack: wraps, lost and added lines, by the grammar of a dump
 * Slices passed on hold during the call only.
 */
#ifndef LEAKWATCH_MEND_INTERNAL_H
#define LEAKWATCH_MEND_INTERNAL_H

#include "gunzip.h"
#include "mend.h"

enum mend_encoding { MEND_UNDECIDED, MEND_BYTES, MEND_UTF16LE, MEND_UTF16BE, MEND_BINARY };

/* What is held back until the next line tells how it is meant. */
enum mend_held {
	HELD_NOTHING,
	HELD_HEADER, /* a goroutine's header that has no end yet */
	HELD_FUNCTION, /* a function, or "created by", until its file comes */
	HELD_FILE, /* a function and the beginning of its file */
	HELD_COUNT, /* "4 @ 0x43be36 …", which may go on */
	HELD_FRAME /* "#	0x…" that has no end yet */
};

enum mend_record_kind { MEND_NO_RECORD, MEND_GOROUTINE, MEND_COUNT };

struct mend_prefix {
	char p[MEND_PREFIX_MAX];
	size_t len; /* 0: lines have no prefix */
};

struct mend {
	struct mend_sink sink;
	unsigned done;
	uint64_t foreign;
	bool unterminated; /* the input's last line has no newline … */
	bool ending; /* … and is being handed out */

	/* bytes */
	enum mend_encoding encoding;
	char head[8];
	size_t head_len;
	struct gunzip *gunzip;
	bool gunzip_failed;
	struct err gunzip_err;
	char odd[4]; /* the beginning of a UTF-16 character */
	size_t odd_len;
	uint32_t surrogate;
	struct buf utf8;
	struct buf line; /* a line whose end is not there yet */
	uint32_t number; /* of the line being read, from 1 */
	bool passing; /* inside a line longer than MEND_LINE_MAX … */
	bool passing_escaped; /* … which is an escaped dump */

	/* records and escapes */
	struct buf stream[2]; /* text of records, of standard output and of standard error */
	struct buf clean; /* a line without colours and HTML */
	struct buf unescaped; /* a line of an escaped dump */
	bool html; /* the input is HTML */
	bool escaped; /* inside an escaped dump; the pending bytes of an escape: */
	char escape[8];
	size_t escape_len;
	bool quoted; /* it ends at a quote */
	bool nested; /* a string within a string: escapes have more than one backslash */

	/* prefixes */
	struct mend_prefix prefix;
	struct buf candidate; /* a line with a header in the middle, until the next line tells */
	size_t candidate_at; /* where its header begins */
	uint32_t candidate_line;
	bool panic_value; /* between "panic: text" and the empty line after it */

	/* the dump */
	enum mend_record_kind record;
	enum mend_held kind;
	struct buf held;
	uint32_t held_line;
	unsigned joins;
	struct buf file; /* of HELD_FILE */
	struct buf junk; /* lines of others since held */
	unsigned junk_lines;
	uint32_t file_line;
	bool after_header, blank_after_header, double_spaced;

	/* the last line to hand out */
	struct buf last;
	bool has_last;
	uint32_t last_line;
};

/* mend.c */
void mend_emit(struct mend *m, struct str line, uint32_t number);

/* mend_text.c */
void mend_record(struct mend *m, struct str line);
void mend_text(struct mend *m, struct str line);
/* More of the escaped dump; returns how many bytes belong to it (all when it goes on). */
size_t mend_unescape(struct mend *m, struct str s);
void mend_unescape_end(struct mend *m);
/* Where an escaped dump begins in the line, or -1; how it is escaped, for mend_begin_escaped. */
ptrdiff_t mend_find_escaped(struct mend *m, struct str line);
void mend_begin_escaped(struct mend *m);
void mend_records_end(struct mend *m);

/* mend_prefix.c */
void mend_unprefix(struct mend *m, struct str line);
void mend_prefix_end(struct mend *m);

/* mend_stack.c */
void mend_stack(struct mend *m, struct str line, uint32_t number);
void mend_stack_end(struct mend *m);
/* "goroutine 5 [select]:", from the front of s. */
bool mend_is_header(struct str s);
/* "goroutine 5 [" or "goroutine 5 gp=0x", whatever follows. */
bool mend_begins_header(struct str s);
/* "goroutine profile: total 5" */
bool mend_is_profile(struct str s);
/* "main.f(0x1)" or "created by main.f" */
bool mend_is_function(struct str s);
/* "<TAB>/x/y.go:12 +0x1d", with blanks in front or, of a source file, without them. */
bool mend_is_file(struct str s);
/* "4 @ 0x43be36", or "4 @" alone. */
bool mend_is_count_head(struct str s);
/* "#<TAB>0x…" up to the line number, or to the PC when there is no more; labels up to the brace. */
bool mend_is_whole_frame(struct str s);
/* A line that stands below a header: a function, a file, a record of a profile. */
bool mend_is_stack_line(struct str s);

#endif
