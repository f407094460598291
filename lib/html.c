#include "html.h"

#include "safe.h"

static void escape(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		switch (s.p[i]) {
		case '&':
			buf_adds(out, "&amp;");
			break;
		case '<':
			buf_adds(out, "&lt;");
			break;
		case '>':
			buf_adds(out, "&gt;");
			break;
		case '"':
			buf_adds(out, "&quot;");
			break;
		case '\'':
			buf_adds(out, "&#39;");
			break;
		default:
			buf_addc(out, s.p[i]);
		}
	}
}

void html_text(struct buf *out, struct str s)
{
	struct buf plain = BUF_INIT;

	safe_add(&plain, s);
	escape(out, buf_str(&plain));
	buf_release(&plain);
}

void html_text_cut(struct buf *out, struct str s, size_t columns)
{
	struct buf plain = BUF_INIT;

	safe_add_cut(&plain, s, columns);
	escape(out, buf_str(&plain));
	buf_release(&plain);
}

void html_lines(struct buf *out, struct str s)
{
	struct str line;

	while (str_line(&s, &line)) {
		html_text(out, line);
		buf_addc(out, '\n');
	}
}

/* Colours follow the reader's light or dark; the five of the verdicts differ also in lightness, and
 * every place that shows one names it too. */
static const char style[] =
	":root{color-scheme:light dark;--fg:#1b1f24;--dim:#59636e;--bg:#fff;--line:#d1d9e0;"
	"--card:#f6f8fa;--plot:#0969da;--band:#0969da33;--leaking:#cf222e;--suspect:#9a6700;"
	"--held:#8250df;--watching:#0969da;--ok:#1a7f37}"
	"@media(prefers-color-scheme:dark){:root{--fg:#e6edf3;--dim:#9198a1;--bg:#0d1117;"
	"--line:#3d444d;--card:#151b23;--plot:#58a6ff;--band:#58a6ff33;--leaking:#ff7b72;"
	"--suspect:#e3b341;--held:#bc8cff;--watching:#58a6ff;--ok:#3fb950}}"
	"*{box-sizing:border-box}body{margin:0 auto;padding:1rem 1.5rem 3rem;max-width:72rem;"
	"font:15px/1.5 system-ui,sans-serif;color:var(--fg);background:var(--bg)}"
	"a{color:inherit;text-decoration-color:var(--dim)}h1{font-size:1.3rem;margin:.6rem 0}"
	"h2{font-size:1.05rem;margin:1.6rem 0 .5rem}header{color:var(--dim);display:flex;gap:1rem}"
	"table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .6rem "
	".25rem 0;"
	"border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}"
	"th{color:var(--dim);font-weight:500;white-space:nowrap}td.n,th.n{text-align:right;"
	"font-variant-numeric:tabular-nums;white-space:nowrap}"
	".dim{color:var(--dim)}.card{background:var(--card);border:1px solid var(--line);"
	"border-left:4px solid var(--line);border-radius:6px;padding:.6rem .9rem;margin:.5rem 0}"
	".card.firing{border-left-color:var(--leaking)}.card.pending{border-left-color:var(--"
	"suspect)}"
	".leaking,.firing>b{color:var(--leaking)}.suspect,.pending>b{color:var(--suspect)}"
	".held{color:var(--held)}.watching{color:var(--watching)}.ok{color:var(--ok)}"
	"pre{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.6rem "
	".8rem;"
	"overflow-x:auto;font:13px/1.45 ui-monospace,monospace}code{font:13px "
	"ui-monospace,monospace}"
	"dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:.5rem 0}"
	"dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}nav a{margin-right:.7rem}"
	"nav b{margin-right:.7rem}svg{width:100%;height:auto;display:block}"
	"svg text{fill:var(--dim);font:11px system-ui,sans-serif}svg .grid{stroke:var(--line)}"
	"svg .value{fill:none;stroke:var(--plot);stroke-width:1.5;stroke-linejoin:round}"
	"svg .band{fill:var(--band)}svg .limit{stroke:var(--leaking);stroke-dasharray:5 4}"
	"svg .run{stroke:var(--dim);stroke-dasharray:2 3}svg .since{stroke:var(--leaking)}";

void html_begin(struct buf *out, struct str title, unsigned refresh_s)
{
	buf_adds(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
		      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">");
	if (refresh_s)
		buf_addf(out, "<meta http-equiv=\"refresh\" content=\"%u\">", refresh_s);
	buf_adds(out, "<title>");
	html_text(out, title);
	buf_adds(out, "</title><style>");
	buf_adds(out, style);
	buf_adds(out, "</style></head><body>\n");
}

void html_end(struct buf *out)
{
	buf_adds(out, "</body></html>\n");
}
