/*
 * html: text of outsiders in a page.  Layer 1.
 *
 * Function names, labels and reasons come from scraped processes, so nothing of them may become
 * markup, and nothing may turn the direction of what stands beside it.  html_text is for element
 * content and for attribute values in double quotes; nothing else is safe for either.
 */
#ifndef LEAKWATCH_HTML_H
#define LEAKWATCH_HTML_H

#include "buf.h"

/* Appends s, printable as safe_add makes it, with & < > " ' as character references. */
void html_text(struct buf *out, struct str s);
/* The same, cut to `columns` characters. */
void html_text_cut(struct buf *out, struct str s, size_t columns);
/* As html_text, and lines stay lines: for <pre>. */
void html_lines(struct buf *out, struct str s);

/*
 * Everything up to the content, and after it.  The title is text.  refresh_s: the browser asks
 * again so often; 0: not by itself.  The style is inline and there is no script, so that the page
 * can be saved, and served with "default-src 'none'; style-src 'unsafe-inline'".
 */
void html_begin(struct buf *out, struct str title, unsigned refresh_s);
void html_end(struct buf *out);

#endif
