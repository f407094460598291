#include "../damage.h"
#include "../gdump_render.h"
#include "err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define FRAME "main.f(0x1)\n\t/src/a.go:7 +0x1d\n"
#define SEEN  " main.f /src/a.go:7;"

/* A goroutine's header and what is read out of it. */
static const struct {
	const char *header, *seen;
} headers[] = {
	/* Go 1.9 to 1.25 */
	{"goroutine 1 [running]:", "#1 [running] 0m"},
	{"goroutine 18446744073709551615 [select]:", "#18446744073709551615 [select] 0m"},
	{"goroutine 5 [IO wait, 3 minutes]:", "#5 [IO wait] 3m"},
	{"goroutine 53 [chan receive, 1 minutes, locked to thread]:",
		"#53 [chan receive] 1m locked"},
	{"goroutine 5 [syscall, locked to thread]:", "#5 [syscall] 0m locked"},
	{"goroutine 5 [sleep, 99999999999 minutes]:", "#5 [sleep] 4294967295m"},
	/* for ever: nobody can end these waits */
	{"goroutine 11 [chan receive (nil chan), 3 minutes]:",
		"#11 [chan receive (nil chan)] 3m nil-chan"},
	{"goroutine 11 [chan send (nil chan)]:", "#11 [chan send (nil chan)] 0m nil-chan"},
	{"goroutine 23 [select (no cases), 3 minutes]:", "#23 [select (no cases)] 3m nil-chan"},
	/* crash and SIGQUIT since Go 1.22 */
	{"goroutine 1 gp=0xc000002380 m=nil [IO wait]:", "#1 [IO wait] 0m"},
	{"goroutine 75 gp=0x28e3ffe30e0 m=9 mp=0x28e40086008 [running]:", "#75 [running] 0m"},
	{"goroutine 0 gp=0xa41100 m=0 mp=0xa42220 [idle]:", "#0 [idle] 0m"},
	/* Go 1.26's marks of the collector, and of a scan under way */
	{"goroutine 19 [chan receive (leaked), locked to thread]:",
		"#19 [chan receive] 0m locked leaked"},
	{"goroutine 19 [select (no cases) (leaked)]:",
		"#19 [select (no cases)] 0m leaked nil-chan"},
	{"goroutine 19 [chan receive (leaked) (scan)]:", "#19 [chan receive] 0m leaked scan"},
	{"goroutine 19 [chan receive (scan), 5 minutes]:", "#19 [chan receive] 5m scan"},
	{"goroutine 19 [runnable (scan)]:", "#19 [runnable] 0m scan"},
	{"goroutine 19 [chan receive (leaked) (scan) (durable), locked to thread, synctest bubble "
	 "1]:",
		"#19 [chan receive] 0m locked leaked scan durable"},
	{"goroutine 19 gp=0xc000002380 m=nil [select (leaked)] {k: v}:",
		"#19 [select] 0m leaked {k=v}"},
	/* states without a reason, and one that the runtime has no word for */
	{"goroutine 5 [waiting for cgo callback]:", "#5 [waiting for cgo callback] 0m"},
	{"goroutine 5 [???, 2 minutes]:", "#5 [???] 2m"},
	/* synctest: Go 1.24, and since 1.25 */
	{"goroutine 26 [sync.WaitGroup.Wait (durable), synctest bubble 1]:",
		"#26 [sync.WaitGroup.Wait] 0m durable"},
	{"goroutine 26 [chan receive (synctest), 2 minutes, synctest group 7]:",
		"#26 [chan receive] 2m durable"},
	{"goroutine 23 [select (no cases) (durable), synctest bubble 1]:",
		"#23 [select (no cases)] 0m durable nil-chan"},
	/* words that no Go prints yet: kept in the state, or passed over behind a comma */
	{"goroutine 5 [chan receive (frozen), 4 minutes]:", "#5 [chan receive (frozen)] 4m"},
	{"goroutine 5 [gathering moss, 4 minutes, under a stone]:", "#5 [gathering moss] 4m"},
	/* labels: Go 1.26 inside the bracket, 1.27 behind it, CockroachDB's without a blank */
	{"goroutine 66 [chan receive labels:{\"handler\": \"/api/v1\", \"tenant\": \"acme\"}]:",
		"#66 [chan receive] 0m {handler=/api/v1} {tenant=acme}"},
	{"goroutine 66 [select, 2 minutes labels:{\"a\": \"]: [\"}]:", "#66 [select] 2m {a=]: [}"},
	{"goroutine 68 [chan receive] {handler: /api/v1, tenant: acme}:",
		"#68 [chan receive] 0m {handler=/api/v1} {tenant=acme}"},
	{"goroutine 68 [chan receive, 2 minutes] {\"a, b: }\": \"{\"}:",
		"#68 [chan receive] 2m {a, b: }={}"},
	{"goroutine 70 [select] {\"we\\\"ird\": \"tab\\there\\nnl \\\\ \\u00e9 \\u4e16 "
	 "\\x01\\xff\","
	 " zz: }:",
		"#70 [select] 0m {we\"ird=tab\there\nnl \\ \xc3\xa9 \xe4\xb8\x96 \x01\xff} {zz=}"},
	{"goroutine 70 [select] {k: \"\\U0001f600\\v\\a\"}:",
		"#70 [select] 0m {k=\xf0\x9f\x98\x80\v\a}"},
	{"goroutine 70 [select] {}:", "#70 [select] 0m"},
	{"goroutine 7 [select, 2 minutes]{\"k\": \"v\"}:", "#7 [select] 2m {k=v}"},
	{"goroutine 7 gp=0xc000002380 m=nil [select, locked to thread] {k: v}:",
		"#7 [select] 0m locked {k=v}"},
};

static void reads_every_header(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		struct buf b = BUF_INIT, text = BUF_INIT;
		const char *seen = headers[i].seen;

		buf_addf(&text, "%s\n" FRAME "\n", headers[i].header);
		render_dump(&b, buf_str(&text), 0);
		if (strncmp(b.p, seen, strlen(seen)) != 0 || !strstr(b.p, SEEN "\n") ||
			!strstr(b.p, " parsed=1 records=1 duplicates=0 lost=0 bad=0 "))
			fail_msg("%s gives %s", headers[i].header, b.p);
		buf_release(&b);
		buf_release(&text);
	}
}

/* Lines that look like a header and are none: nothing may be made of them. */
static void takes_no_other_line_for_a_header(void **state)
{
	static const char *const rows[] = {
		"goroutine [running]:",
		"goroutine 5:",
		"goroutine 5 running:",
		"goroutine 5 [running]",
		"goroutine 5 [running:",
		"goroutine 5 [running]: and more",
		"goroutine x5 [running]:",
		"goroutine 99999999999999999999 [running]:", /* more than 64 bits */
		"goroutine 5 zz=0x1 [running]:",
		"goroutine 5 gp=0x1[running]:",
		"goroutine 5 [running] {k: v:",
		"goroutine 5 [running] x:",
		"goroutine 5 [running labels:{\"k\": \"v\"]:",
		"goroutine 5 [running labels:{\"k\": \"v]}:",
		" goroutine 5 [running]:",
		"Goroutine 5 (running) created at:",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = BUF_INIT, text = BUF_INIT;

		buf_addf(&text, "%s\n" FRAME "\n", rows[i]);
		if (render_dump(&b, buf_str(&text), 0) == 0)
			fail_msg("%s gives %s", rows[i], b.p);
		buf_release(&b);
		buf_release(&text);
	}
}

/* Whole bodies; `seen` is the rendering up to (not including) the statistics' end. */
static const struct {
	const char *name, *text, *seen;
} bodies[] = {
	{"debug=1: labels, a hidden leaf PC, methods, an inlined frame",
		"goroutine profile: total 59\n"
		"55 @ 0x43be36 0x408a3b 0x408538 0x68551e 0x46c5c1\n"
		"#\t0x68551d\tmain.(*srv).handle+0x1d\t/src/leaky/main.go:38\n"
		"\n"
		"4 @ 0x43be36 0x68551e 0x68551f 0x46c5c1\n"
		"# labels: {\"handler\":\"/api/v1\", \"we\\\"ird\":\"t\\tx \xc3\xa9 "
		"\\u00ad\\xff\"}\n"
		"#\t0x68551d\tmain.(*struct { sync.Mutex; x int }).f+0x1d\t\t/src/a "
		"b/m+0x1:2.go:38\n"
		"#\t0x68551e\tgeneric.(*Queue[...]).Pop+0x1e\tC:/Users/x/go/main.go:12\n"
		"\n",
		"55x <43be36> <408a3b> <408538> main.(*srv).handle /src/leaky/main.go:38;\n"
		"4x {handler=/api/v1} {we\"ird=t\tx \xc3\xa9 \xc2\xad\xff} <43be36> "
		"main.(*struct { sync.Mutex; x int }).f /src/a b/m+0x1:2.go:38; "
		"generic.(*Queue[...]).Pop C:/Users/x/go/main.go:12;\n"
		"debug1 announced=59 parsed=59 records=2 duplicates=0 lost=0 bad=0 lines=9 "},
	{"debug=1: an empty label set, a PC without a symbol, no PCs",
		"goroutine profile: total 3\n2 @ 0x1 0x2\n# labels: {}\n#\t0x1\n\n1 @\n#\t0x0\n\n",
		"2x <1> 0x1 :0;\n1x\n"
		"debug1 announced=3 parsed=3 records=2 duplicates=0 lost=0 bad=0 lines=8 "},
	{"debug=1: goroutines that have not run yet have the PC of runtime.goexit alone",
		"goroutine profile: total 3\n2 @ 0x46c5c1\n\n1 @ 0x46c5c1\n# labels: "
		"{\"a\":\"b\"}\n\n",
		"2x unstarted\n1x unstarted {a=b}\ndebug1 announced=3 parsed=3 records=2 "
		"duplicates=0 lost=0 bad=0 lines=6 "},
	{"debug=1 that lost its tabs to blanks",
		"goroutine profile: total 1\n1 @ 0x2 0x9\n"
		"#   0x1    main.(*struct { x int }).f+0x1d     /src/a b/c.go:5\n\n",
		"1x main.(*struct { x int }).f /src/a b/c.go:5;\n"
		"debug1 announced=1 parsed=1 records=1 duplicates=0 lost=0 bad=0 lines=4 "},
	{"debug=1 whose head was cut off",
		"#\t0x1\tmain.g+0x1\t/a.go:1\n\n2 @ 0x2 0x9\n#\t0x1\tmain.f+0x1\t/a.go:5\n\n",
		"2x main.f /a.go:5;\n"
		"debug1 announced=0 parsed=2 records=1 duplicates=0 lost=0 bad=1 lines=5 first=3 "
		"the beginning is cut off: no line with the total before: \"2 @ 0x2 0x9\""},
	{"debug=2 whose head was cut off: a goroutine is missing, and told",
		"main.g(0x1)\n\t/a.go:1 +0x1\n" FRAME "\ngoroutine 2 [select]:\n" FRAME,
		"#2 [select] 0m" SEEN "\ndebug2 announced=0 parsed=1 records=1 duplicates=0 lost=1 "
		"bad=1 lines=8 first=2 the beginning is cut off: a stack without its header: "},
	{"what only looks like that: nothing is missing",
		"I0101 loading(x)\n\t/etc/a.conf:12\nruntime stack:\nruntime.throw()\n"
		"\t/p.go:1 +0x5c\n\ngoroutine 2 [select]:\n" FRAME,
		"#2 [select] 0m" SEEN "\ncrash announced=0 parsed=1 records=1 duplicates=0 lost=0 "
		"bad=0 "},
	{"between Docker's words",
		"=== BEGIN goroutine stack dump ===\ngoroutine 2 [select]:\n" FRAME
		"\n=== END goroutine stack dump ===\n",
		"#2 [select] 0m" SEEN "\ndebug2 announced=0 parsed=1 records=1 duplicates=0 lost=0 "
		"bad=0 "},
	{"debug=1 that ends too early",
		"goroutine profile: total 9\n2 @ 0x2 0x9\n#\t0x1\tmain.f+0x1\t/a.go:5\n\n",
		"2x main.f /a.go:5;\ndebug1 announced=9 parsed=2 records=1 duplicates=0 lost=7 "
		"bad=0 lines=4 truncated "},
	{"debug=1 cut inside of a frame",
		"goroutine profile: total 9\n2 @ 0x2 0x9\n#\t0x1\tmain.f+0x1\t/a.g",
		"2x incomplete\ndebug1 announced=9 parsed=2 records=1 duplicates=0 lost=7 bad=1 "
		"lines=3 truncated first=3 not a frame of a debug=1 record: "
		"\"# 0x1 main.f+0x1 /a.g\""},
	{"debug=1 cut between frames: the PCs tell that one is missing",
		"goroutine profile: total 2\n2 @ 0x2 0x5 0x9\n#\t0x1\tmain.f+0x1\t/a.go:5",
		"2x incomplete main.f /a.go:5;\ndebug1 announced=2 parsed=2 records=1 duplicates=0 "
		"lost=0 bad=0 lines=3 truncated "},
	{"debug=1 without its last newlines: an editor took them, nothing is missing",
		"goroutine profile: total 2\n2 @ 0x2 0x9\n#\t0x1\tmain.f+0x1\t/a.go:5",
		"2x main.f /a.go:5;\ndebug1 announced=2 parsed=2 records=1 duplicates=0 lost=0 "
		"bad=0 lines=3 first=0"},
	{"debug=1 with foreign lines between and inside of records",
		"goroutine profile: total 2\n1 @ 0x2 0x9\n#\t0x1\tmain.f+0x1\t/a.go:5\nlog\n\nlog\n"
		"1 @ 0x2 zz\n#\t0x1\tmain.f+0x1\t/a.go:5\n\n",
		"1x main.f /a.go:5;\n1x main.f /a.go:5;\ndebug1 announced=2 parsed=2 records=2 "
		"duplicates=0 lost=0 bad=3 lines=9 first=4 not part of a goroutine dump: \"log\""},
	{"goroutineleak of Go 1.27: the phantom record is not counted",
		"goroutineleak profile: total 3\n2 @ 0x2 0x9\n#\t0x1\tmain.f+0x1\t/a.go:5\n\n1 "
		"@\n#\t0x0\n\n",
		"2x main.f /a.go:5;\ngoroutineleak announced=2 parsed=2 records=1 duplicates=0 "
		"lost=0 bad=0 lines=7 first=0"},
	{"the same with zeros for PCs, as threadcreate has them",
		"goroutineleak profile: total 1\n1 @ 0x0 0x0\n#\t0x0\n\n",
		"goroutineleak announced=0 parsed=0 records=0 duplicates=0 lost=0 bad=0 lines=4 "},
	{"goroutineleak that found none", "goroutineleak profile: total 0\n",
		"goroutineleak announced=0 parsed=0 records=0 duplicates=0 lost=0 bad=0 lines=1 "},
	{"threadcreate, and any other count profile",
		"threadcreate profile: total 8\n7 @\n#\t0x0\n\n1 @ 0x2 0x9\n"
		"#\t0x1\truntime.main+0x1\t/a.go:5\n\n",
		"7x\n1x runtime.main /a.go:5;\ncount announced=8 parsed=8 records=2 duplicates=0 "
		"lost=0 bad=0 lines=7 "},
	{"saved with curl -i, CRLF, and a byte order mark before it",
		"\xef\xbb\xbfgoroutine profile: total 1\r\n1 @ 0x2 0x9\r\n"
		"# labels: {\"a\":\"b\"}\r\n#\t0x1\tmain.f+0x1\t/a.go:5\r\n\r\n",
		"1x {a=b} main.f /a.go:5;\ndebug1 announced=1 parsed=1 records=1 duplicates=0 "
		"lost=0 bad=0 lines=5 "},
	{"HTTP headers before a dump",
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\ngoroutine 1 [running]:\n" FRAME,
		"#1 [running] 0m" SEEN
		"\ndebug2 announced=0 parsed=1 records=1 duplicates=0 lost=0 bad=0 lines=6 "},
	{"debug=2: who created it, an inlined frame, a receiver of many words, a Windows path",
		"goroutine 5 [select, 3 minutes]:\n"
		"main.inl(...)\n\tC:/Users/x y/go/main.go:12\n"
		"main.(*struct { x int }).f({0x1, 0x2?}, {{0x0, ...}, _}, ...)\n\t/src/a.go:9 "
		"+0x1d\n"
		"created by main.zoo.func1 in goroutine 18\n\t/src/a.go:202 +0x4c\n",
		"#5 [select] 3m main.inl C:/Users/x y/go/main.go:12; "
		"main.(*struct { x int }).f /src/a.go:9; by main.zoo.func1 /src/a.go:202 in 18\n"
		"debug2 announced=0 parsed=1 records=1 duplicates=0 lost=0 bad=0 lines=7 "},
	{"debug=2 up to Go 1.20: the creator has no number",
		"goroutine 5 [select]:\n" FRAME "created by main.zoo\n\t/src/a.go:202 +0x4c\n",
		"#5 [select] 0m" SEEN " by main.zoo /src/a.go:202 in 0\n"
		"debug2 announced=0 parsed=1 records=1 "},
	{"both ways of leaving frames out",
		"goroutine 5 [select]:\n" FRAME "...additional frames elided...\n"
		"created by main.z in goroutine 1\n\t/b.go:2 +0x4c\n"
		"\ngoroutine 6 [select]:\n" FRAME "...101 frames elided...\n" FRAME,
		"#5 [select] 0m elided" SEEN
		" by main.z /b.go:2 in 1\n#6 [select] 0m elided" SEEN SEEN
		"\ndebug2 announced=0 parsed=2 records=2 duplicates=0 lost=0 bad=0 "},
	{"ancestors are not frames of the goroutine",
		"goroutine 5 [select]:\n" FRAME
		"created by main.a in goroutine 4\n\t/b.go:2 +0x4c\n"
		"[originating from goroutine 4]:\nmain.b(...)\n\t/b.go:3 +0x2\n"
		"...additional frames elided...\ncreated by main.c\n\t/b.go:4 +0x1\n\n",
		"#5 [select] 0m" SEEN " by main.a /b.go:2 in 4\ndebug2 announced=0 parsed=1 "
		"records=1 duplicates=0 lost=0 bad=0 "},
	{"a goroutine on another thread has no stack to show",
		"SIGQUIT: quit\nPC=0x1 m=0 sigcode=0\n\ngoroutine 5 [running]:\n"
		"\tgoroutine running on other thread; stack unavailable\n"
		"created by main.a in goroutine 1\n\t/b.go:2 +0x4c\n\n",
		"#5 [running] 0m no-stack by main.a /b.go:2 in 1\ncrash announced=0 parsed=1 "
		"records=1 duplicates=0 lost=0 bad=0 "},
	{"C frames, with and without a name or a place",
		"goroutine 5 [syscall]:\nnon-Go function at pc=0x7f0102\ncsleep\n\t/src/c.c:3 "
		"pc=0x7f01\nnolines\n\tpc=0x7f02\nmain._Cfunc_csleep(0x1)\n\t_cgo_gotypes.go:55 "
		"+0x44 "
		"fp=0xc0 sp=0xb0 pc=0x4\n_cgoexp_fc2c_goCallback(0x1)\n\t_cgo.go:1 +0x4\n",
		"#5 [syscall] 0m csleep /src/c.c:3; nolines :0; main._Cfunc_csleep "
		"_cgo_gotypes.go:55; _cgoexp_fc2c_goCallback _cgo.go:1;\ndebug2 announced=0 "
		"parsed=1 records=1 duplicates=0 lost=0 bad=0 "},
	{"a panic: what stands around the goroutines is not damage",
		"2026/11/21 01:33:07 starting\npanic: boom [recovered]\n\tpanic: again\n"
		"[signal SIGSEGV: segmentation violation code=0x1 addr=0x18 pc=0x4]\n\n"
		"goroutine 1 [running]:\nmain.main()\n\t/src/a.go:7 +0x1d\nexit status 2\n",
		"#1 [running] 0m main.main /src/a.go:7;\ncrash announced=0 parsed=1 records=1 "
		"duplicates=0 lost=0 bad=0 "},
	{"a fatal error: the runtime's own stack is no goroutine",
		"fatal error: stack overflow\n\nruntime stack:\nruntime.throw({0x1, 0x2})\n"
		"\t/go/panic.go:1 +0x5c\n\ngoroutine 1 [running]:\n" FRAME
		"\nruntime stack:\n" FRAME "\nrax    0x0\nrflags 0x286\nr8     0x1\n",
		"#1 [running] 0m" SEEN "\ncrash announced=0 parsed=1 records=1 duplicates=0 lost=0 "
		"bad=0 "},
	{"GOTRACEBACK=crash: each thread prints again; the first time counts",
		"SIGQUIT: quit\nPC=0x1 m=0 sigcode=0\n\ngoroutine 0 [idle]:\n" FRAME
		"\ngoroutine 7 gp=0xc0 m=nil [select]:\n" FRAME
		"\nrax    0x0\ncs     0x33\n\n-----\n\n"
		"SIGQUIT: quit\nPC=0x2 m=3 sigcode=0\n\ngoroutine 7 gp=0xc0 m=3 mp=0xc1 "
		"[running]:\n" FRAME
		"rax    0x1\n\n-----\n\nSIGQUIT: quit\nPC=0x3 m=4 sigcode=0\n\n"
		"goroutine 0 gp=0xc2 m=4 mp=0xc3 [idle]:\n" FRAME "rax    0x1\n",
		"#0 [idle] 0m" SEEN "\n#7 [select] 0m" SEEN
		"\ncrash announced=0 parsed=2 records=2 "
		"duplicates=2 lost=0 bad=0 "},
	{"blank lines lost: a header begins a goroutine all the same",
		"goroutine 1 [running]:\n" FRAME "goroutine 2 [select]:\n" FRAME,
		"#1 [running] 0m" SEEN "\n#2 [select] 0m" SEEN "\ndebug2 announced=0 parsed=2 "},
	{"indentation lost",
		"goroutine 1 [running]:\nmain.f(0x1)\n/src/a.go:7 +0x1d\ncreated by main.z in "
		"goroutine 1\n/b.go:2 +0x4c\n\n",
		"#1 [running] 0m" SEEN " by main.z /b.go:2 in 1\ndebug2 announced=0 parsed=1 "},
	{"a log line inside of a stack ends nothing",
		"goroutine 1 [running]:\n" FRAME "2026/11/21 http: TLS handshake error: EOF\n" FRAME
		"\n",
		"#1 [running] 0m" SEEN SEEN "\ndebug2 announced=0 parsed=1 records=1 duplicates=0 "
		"lost=0 bad=1 lines=7 first=4 not a line of a stack: \"2026/11/21 http: TLS "
		"handshake error: EOF\""},
	{"debug=1 and debug=2 in one file",
		"goroutine profile: total 2\n2 @ 0x2 0x9\n#\t0x1\tmain.f+0x1\t/a.go:5\n\n"
		"goroutine 1 [running]:\n" FRAME "goroutine profile: total 1\n1 @ 0x2 0x9\n"
		"#\t0x1\tmain.f+0x1\t/a.go:5\n\n",
		"2x main.f /a.go:5;\n#1 [running] 0m" SEEN
		"\n1x main.f /a.go:5;\ndebug1 announced=3 "
		"parsed=4 records=3 duplicates=0 lost=0 bad=0 "},
	{"debug=2 cut inside of a line: what the runtime does at 64 MiB",
		"goroutine 1 [select]:\n" FRAME "\ngoroutine 2 [select]:\nmain.rec(0",
		"#1 [select] 0m" SEEN "\n#2 [select] 0m incomplete\ndebug2 announced=0 parsed=2 "
		"records=2 duplicates=0 lost=0 bad=1 lines=6 truncated "},
	{"debug=2 cut after a function's line", "goroutine 2 [select]:\nmain.rec(0x1)\n",
		"#2 [select] 0m incomplete\ndebug2 announced=0 parsed=1 records=1 duplicates=0 "
		"lost=0 "
		"bad=0 lines=2 truncated "},
	{"debug=2 cut inside of a file's name",
		"goroutine 2 [select]:\n" FRAME "main.rec(0x1)\n\t/usr/li",
		"#2 [select] 0m incomplete" SEEN "\ndebug2 announced=0 parsed=1 records=1 "
		"duplicates=0 lost=0 bad=2 lines=5 truncated "},
	{"debug=2 cut inside of an offset: whatever follows is missing",
		"goroutine 2 [select]:\nmain.f(0x1)\n\t/src/a.go:7 +0x1",
		"#2 [select] 0m incomplete" SEEN "\ndebug2 announced=0 parsed=1 records=1 "
		"duplicates=0 lost=0 bad=0 lines=3 truncated "},
	{"debug=2 cut inside of a header",
		"goroutine 1 [select]:\n" FRAME "\ngoroutine 24 [chan se",
		"#1 [select] 0m" SEEN "\ndebug2 announced=0 parsed=1 records=1 duplicates=0 lost=1 "
		"bad=1 lines=5 truncated first=5 not a whole goroutine header: \"goroutine 24 "
		"[chan "
		"se\""},
	{"debug=2 without its last newline: whole, an editor took it",
		"goroutine 1 [select]:\nmain.main()\n\t/src/a.go:7 +0x1d",
		"#1 [select] 0m main.main /src/a.go:7;\ndebug2 announced=0 parsed=1 records=1 "
		"duplicates=0 lost=0 bad=0 lines=3 first=0"},
	{"the same behind the line of who created it",
		"goroutine 1 [select]:\n" FRAME "created by main.z in goroutine 1\n\t/b.go:2 +0x4c",
		"#1 [select] 0m" SEEN " by main.z /b.go:2 in 1\ndebug2 announced=0 parsed=1 "
		"records=1 duplicates=0 lost=0 bad=0 lines=5 first=0"},
	{"debug=1 with labels twice, or that cannot be read: the first list counts",
		"goroutine profile: total 2\n1 @ 0x2 0x9\n# labels: {\"a\":\"\\n\"}\n"
		"# labels: {\"b\":\"\\t\"}\n#\t0x1\tmain.f+0x1\t/a.go:5\n\n"
		"1 @ 0x2 0x9\n# labels: {\"a\":\"b\", c}\n#\t0x1\tmain.f+0x1\t/a.go:5\n\n",
		"1x {a=\n} main.f /a.go:5;\n1x {a=b} main.f /a.go:5;\ndebug1 announced=2 parsed=2 "
		"records=2 duplicates=0 lost=0 bad=2 lines=10 first=4 not a list of labels: "},
	{"a hostile body's control characters do not reach the message",
		"goroutine 1 [select]:\n\x1b]0;x\x07\n" FRAME "\n",
		"#1 [select] 0m" SEEN "\ndebug2 announced=0 parsed=1 records=1 duplicates=0 lost=0 "
		"bad=1 lines=5 first=2 not a line of a stack: \"?]0;x?\""},
};

static void reads_whole_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct buf b = BUF_INIT;

		if (render_dump(&b, str_of(bodies[i].text), 0) != 0 ||
			strncmp(b.p, bodies[i].seen, strlen(bodies[i].seen)) != 0)
			fail_msg("%s gives\n%s", bodies[i].name, b.p);
		buf_release(&b);
	}
}

static void gives_the_same_for_any_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct str text = str_of(bodies[i].text);
		struct buf whole = BUF_INIT, cut = BUF_INIT;

		render_dump(&whole, text, 0);
		for (size_t piece = 1; piece < text.len; piece++) {
			buf_reset(&cut);
			render_dump(&cut, text, piece);
			if (!str_eq(buf_str(&whole), buf_str(&cut)))
				fail_msg("%s in pieces of %zu gives\n%s", bodies[i].name, piece,
					cut.p);
		}
		buf_release(&whole);
		buf_release(&cut);
	}
}

/* A CR at its end keeps a line from the short way; both ways have to read the same. */
static void gives_the_same_with_crlf(void **state)
{
	unsigned compared = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct str text = str_of(bodies[i].text);
		struct buf with = BUF_INIT, a = BUF_INIT, b = BUF_INIT;

		if (str_chr(text, '\r') < 0 && str_ends(text, STR("\n"))) {
			damage_crlf(text, &with);
			render_dump(&a, text, 0);
			render_dump(&b, buf_str(&with), 0);
			if (!str_eq(buf_str(&a), buf_str(&b)))
				fail_msg("%s with CRLF gives\n%s", bodies[i].name, b.p);
			compared++;
		}
		buf_release(&with);
		buf_release(&a);
		buf_release(&b);
	}
	assert_true(compared > 20);
}

/* Lines of a frame that are nearly what the short way takes. */
static void reads_odd_frames(void **state)
{
	static const struct {
		const char *frame, *seen;
	} rows[] = {
		{"main.f(0x1)\n\t/a.go:7\n", " main.f /a.go:7;"},
		{"main.f()\n\t/a.go:7 +0xabcdef\n", " main.f /a.go:7;"},
		{"f()\n\t_cgo.go:7 +0x1\n", " f _cgo.go:7;"},
		{"main.f(0x1)\n\t/a.go:7 +0x\n", " bad=2 "},
		{"main.f(0x1)\n\t/a.go:7+0x1\n", " bad=2 "},
		{"main.f(0x1)\n\t/a.go:7 0x1\n", " bad=2 "},
		{"main.f(0x1)\n\t/a.go: +0x1\n", " bad=2 "},
		{"main.f(0x1)\n\t:7 +0x1\n", " bad=2 "},
		{"(0x1)\n\t/a.go:7 +0x1\n", " (0x1) /a.go:7;"},
		{"main.f(0x1)\n\t\t/a.go:7 +0x1\n", " main.f /a.go:7;"},
		{"main.f(0x1)\n    /a.go:7 +0x1\n", " main.f /a.go:7;"},
		{"main.f(0x1)\n\t/a.go:4294967295 +0x1\n", " main.f /a.go:4294967295;"},
		{"main.f(0x1)\n\t/a.go:9999999999 +0x1\n", " main.f /a.go:4294967295;"},
		{"main.f(0x1)\n\t/a.go:12345678901 +0x1\n", " bad=2 "},
		{"main.f(0x1)\n\tC:/a b/c:d.go:7 +0x1 fp=0x1 sp=0x2 pc=0x3\n",
			" main.f C:/a b/c:d.go:7;"},
		{"main.f(...)\n\t?:0\n", " main.f ?:0;"},
		/* a creator's name is no frame, whatever it ends in */
		{"created by main.f(0x1)\n\t/a.go:7 +0x1\n", " by main.f(0x1) /a.go:7 in 0"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = BUF_INIT, text = BUF_INIT, with = BUF_INIT;

		buf_addf(&text, "goroutine 1 [select]:\n%s\n", rows[i].frame);
		damage_crlf(buf_str(&text), &with);
		for (int crlf = 0; crlf < 2; crlf++) {
			buf_reset(&b);
			render_dump(&b, buf_str(crlf ? &with : &text), 0);
			if (!strstr(b.p, rows[i].seen))
				fail_msg(
					"%s%s gives %s", rows[i].frame, crlf ? " (CRLF)" : "", b.p);
		}
		buf_release(&b);
		buf_release(&text);
		buf_release(&with);
	}
}

/* Bodies that are no dump, and a word that the message has to hold. */
static void refuses_what_is_no_dump(void **state)
{
	static const struct {
		const char *body, *says;
	} rows[] = {
		{"", "an empty body"},
		{" \r\n\n", "an empty body"},
		{"<!DOCTYPE html>\n<html><body>Sign in</body></html>\n", "HTML"},
		{"\n  <html>", "HTML"},
		{"{\"cmdline\": [\"x\"]}\n", "JSON"},
		{"[{\"a\": 1}]", "JSON"},
		{"404 page not found\n", "nothing is served at this path"},
		{"Unknown profile\n", "no such profile"},
		{"HTTP/1.1 404 Not Found\r\nX-Go-Pprof: 1\r\n\r\nUnknown profile\n",
			"no such profile"},
		{"seconds and debug params are incompatible\n", "seconds and debug"},
		{"heap profile: 1: 8 [2: 16] @ heap/1048576\n1: 8 [1: 8] @ 0x1 0x2\n",
			"a heap profile"},
		{"--- mutex:\ncycles/second=1\n1 1 @ 0x1\n", "a mutex profile"},
		{"--- contention:\ncycles/second=1\n1 1 @ 0x1\n", "a block profile"},
		{"# HELP a b\n# TYPE a gauge\na 1\n", "Prometheus metrics"},
		{"\x1f\x8b\x08\x01\x02\n\n", "gzip"},
		{"\x0a\x05\x01\x02\x03", "debug=0 profile"},
		{"\xff\xfeg", "UTF-16"},
		{"> goroutine 5 [select]:\n> main.f()\n", "does not begin a line"},
		{"hello\x1b[2J\n", "text that begins with \"hello?[2J\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = BUF_INIT, bytes = BUF_INIT;

		if (render_dump(&b, str_of(rows[i].body), 0) == 0 || !strstr(b.p, rows[i].says) ||
			!strstr(b.p, "-1 no goroutine dump: "))
			fail_msg("%s gives %s", rows[i].body, b.p);
		render_dump(&bytes, str_of(rows[i].body), 1);
		assert_string_equal(b.p, bytes.p);
		buf_release(&b);
		buf_release(&bytes);
	}
}

/* ---- depth limit -------------------------------------------------------------------------------
 */

/* A record of n PCs; whole: the last one is runtime.goexit's, which has no line. */
static void check_depth(unsigned n, bool whole, bool flagged)
{
	struct buf text = BUF_INIT, out = BUF_INIT;

	buf_adds(&text, "goroutine profile: total 1\n1 @");
	for (unsigned i = 1; i <= n; i++)
		buf_addf(&text, " 0x%x", i * 16 + 1);
	buf_addc(&text, '\n');
	for (unsigned i = 1; i <= n - whole; i++)
		buf_addf(&text, "#\t0x%x\tmain.f%u+0x1\t/a.go:1\n", i * 16, i);
	buf_addc(&text, '\n');
	render_dump(&out, buf_str(&text), 0);
	if (!!strstr(out.p, " cut-root") != flagged)
		fail_msg("%u PCs, %s: %.60s", n, whole ? "whole" : "cut", out.p);
	buf_release(&text);
	buf_release(&out);
}

static void tells_where_the_root_is_lost(void **state)
{
	(void)state;
	check_depth(32, false, true); /* up to Go 1.22 */
	check_depth(128, false, true); /* since Go 1.23 */
	check_depth(64, false, true); /* GODEBUG=profstackdepth=64 */
	check_depth(32, true, false); /* just as deep, and whole */
	check_depth(128, true, false);
	check_depth(5, true, false);
	check_depth(5, false, false); /* no limit is that low: a frame that is shown otherwise */
}

/* ---- keys --------------------------------------------------------------------------------------
 */

struct asked {
	uint64_t key[8], count[8];
	unsigned n, groups;
	bool answer;
};

static bool known_cb(void *arg, uint64_t key, uint64_t count)
{
	struct asked *a = arg;

	assert_true(a->n < ARRAY_LEN(a->key));
	a->key[a->n] = key;
	a->count[a->n++] = count;
	return a->answer;
}

static void group_cb(void *arg, const struct group *g)
{
	struct asked *a = arg;

	assert_true(g->key == a->key[a->n - 1]);
	a->groups++;
}

static void ask(struct asked *a, const char *text, size_t piece)
{
	struct gdump_sink sink = {.known = known_cb, .group = group_cb, .arg = a};
	struct gdump *g = gdump_new(&sink);

	for (size_t at = 0; at < strlen(text); at += piece)
		gdump_feed(g, text + at, MIN(piece, strlen(text) - at));
	assert_int_equal(gdump_finish(g, NULL), 0);
	assert_int_equal(gdump_stats(g)->parsed, 17);
	assert_int_equal(gdump_stats(g)->records, 3);
	gdump_free(g);
}

/* The key holds everything after the count: the same for another count, another for other text. */
static void asks_for_known_records(void **state)
{
	static const char text[] =
		"goroutine profile: total 17\n"
		"12 @ 0x2 0x9\n#\t0x1\tmain.f+0x1\t/a.go:5\n\n"
		"3 @ 0x2 0x9\n# labels: {\"a\":\"b\"}\n#\t0x1\tmain.f+0x1\t/a.go:5\n\n"
		"2 @ 0x2 0x9\n#\t0x1\tmain.f+0x1\t/a.go:5\n\n";
	struct asked whole = {.answer = false}, bytes = {.answer = true};

	(void)state;
	ask(&whole, text, sizeof(text));
	ask(&bytes, text, 1);
	assert_int_equal(whole.groups, 3);
	assert_int_equal(bytes.groups, 0);
	assert_memory_equal(whole.key, bytes.key, sizeof(whole.key));
	assert_memory_equal(whole.count, bytes.count, sizeof(whole.count));
	assert_int_equal(whole.count[0], 12);
	assert_true(whole.key[0] == whole.key[2]);
	assert_true(whole.key[0] != whole.key[1]);
}

/* ---- limits ------------------------------------------------------------------------------------
 */

static void expect_both(struct buf *text, const char *has)
{
	struct buf whole = BUF_INIT, cut = BUF_INIT;

	render_dump(&whole, buf_str(text), 0);
	if (!strstr(whole.p, has))
		fail_msg("should have %s, but ends %s", has,
			whole.p + whole.len - MIN(whole.len, 400u));
	render_dump(&cut, buf_str(text), 4093);
	assert_true(str_eq(buf_str(&whole), buf_str(&cut)));
	buf_release(&whole);
	buf_release(&cut);
	buf_reset(text);
}

static void add_many(struct buf *b, char c, size_t n)
{
	while (n--)
		buf_addc(b, c);
}

/* What an outsider may make long: a line, a record, a stack, a set of labels, a count. */
static void holds_its_limits(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_adds(&b, "goroutine profile: total 3\n1 @ 0x2 0x9\n# labels: {\"k\":\"");
	add_many(&b, 'v', GDUMP_LINE_MAX);
	buf_adds(&b,
		"\"}\n#\t0x1\tmain.f+0x1\t/a.go:5\n\n2 @ 0x2 0x9\n#\t0x1\tmain.g+0x1\t/a.go:6\n\n");
	expect_both(&b,
		"1x main.f /a.go:5;\n2x main.g /a.go:6;\ndebug1 announced=3 parsed=3 records=2 "
		"duplicates=0 lost=0 bad=1 lines=8 first=3 a line longer than 1 MiB: \"# labels:");

	buf_adds(&b, "goroutine 1 [select]:\n" FRAME "\ngoroutine 2 [select] {k: ");
	add_many(&b, 'v', GDUMP_LINE_MAX);
	buf_adds(&b, "}:\n" FRAME "\n");
	expect_both(
		&b, " parsed=1 records=1 duplicates=0 lost=1 bad=3 lines=8 first=5 a line longer");

	buf_adds(&b, "goroutine 1 [select]:\n");
	while (b.len < GDUMP_RECORD_MAX + 100000)
		buf_adds(&b, FRAME);
	buf_adds(&b, "\ngoroutine 2 [select]:\n" FRAME "\n");
	expect_both(&b,
		"\n#2 [select] 0m" SEEN "\ndebug2 announced=0 parsed=2 records=2 duplicates=0 "
		"lost=0 bad=1 lines=277058 first=270601 a record longer than 4 MiB");

	buf_adds(&b, "goroutine 1 [select] {");
	for (int i = 0; i < GDUMP_LABELS_MAX + 5; i++)
		buf_addf(&b, "%sk%d: v", i ? ", " : "", i);
	buf_adds(&b, "}:\n");
	for (int i = 0; i < GDUMP_FRAMES_MAX; i++)
		buf_adds(&b, FRAME);
	buf_adds(&b, "main.one_more()\n\t/b.go:1 +0x1\n\n");
	expect_both(&b, "#1 [select] 0m elided {k0=v}");

	buf_adds(&b, "goroutine profile: total 5\n9999999999999 @ 0x1\n#\t0x1\n\n5 @ 0x2 "
		     "0x9\n#\t0x1\n\n");
	expect_both(&b, "parsed=5 records=1 duplicates=0 lost=0 bad=2 ");
	buf_release(&b);
}

/* Scanners with a buffer of 64 KiB stop at such a line, and lose all that follows. */
static void reads_lines_of_70_kb(void **state)
{
	struct buf text = BUF_INIT, out = BUF_INIT;

	(void)state;
	buf_adds(&text, "goroutine 1 [select]:\nmain.f(");
	for (int i = 0; i < 10000; i++)
		buf_addf(&text, "0x%x, ", i);
	buf_adds(&text, "...)\n\t/src/a.go:7 +0x1d\n\ngoroutine 2 [select] {k: \"");
	for (int i = 0; i < 70000; i++)
		buf_addc(&text, 'v');
	buf_adds(&text, "\"}:\n" FRAME "\ngoroutine 3 [select]:\n" FRAME "\n");
	assert_true(text.len > 140000);
	for (size_t piece = 0; piece < 30000; piece += 9999) {
		buf_reset(&out);
		render_dump(&out, buf_str(&text), piece);
		assert_non_null(strstr(out.p, "#1 [select] 0m" SEEN "\n#2 [select] 0m {k=vvv"));
		assert_non_null(strstr(out.p, "}" SEEN "\n#3 [select] 0m" SEEN "\n"));
		assert_non_null(strstr(out.p, " parsed=3 records=3 duplicates=0 lost=0 bad=0 "));
	}
	buf_release(&text);
	buf_release(&out);
}

static bool is_truncated(size_t size)
{
	static const struct str dump = STR_LIT("goroutine 1 [select]:\n" FRAME "\n");
	struct gdump_sink sink = {.group = NULL};
	struct gdump *g = gdump_new(&sink);
	size_t left = size - dump.len;
	char blank[65536];
	bool truncated;

	memset(blank, '\n', sizeof(blank));
	gdump_feed(g, dump.p, dump.len);
	for (size_t n; (n = MIN(left, sizeof(blank))) > 0; left -= n)
		gdump_feed(g, blank, n);
	assert_int_equal(gdump_finish(g, NULL), 0);
	assert_int_equal(gdump_stats(g)->bytes, size);
	truncated = gdump_stats(g)->truncated;
	gdump_free(g);
	return truncated;
}

/* The runtime gives up at exactly 64 MiB, wherever that cuts. */
static void tells_the_cut_at_64_mib(void **state)
{
	(void)state;
	assert_true(is_truncated(64 * 1024 * 1024));
	assert_false(is_truncated(64 * 1024 * 1024 - 1));
	assert_false(is_truncated(64 * 1024 * 1024 + 1));
}

/* A body that ends between two records is whole to look at; who brought it may know better. */
static void is_told_of_a_cut(void **state)
{
	static const struct str dump = STR_LIT("goroutine 1 [select]:\n" FRAME "\n");
	struct gdump_sink sink = {.group = NULL};
	struct gdump *g = gdump_new(&sink);

	(void)state;
	for (int cut = 1; cut >= 0; cut--) {
		gdump_feed(g, dump.p, dump.len);
		if (cut)
			gdump_cut(g);
		assert_int_equal(gdump_finish(g, NULL), 0);
		assert_int_equal(gdump_stats(g)->parsed, 1);
		assert_int_equal(gdump_stats(g)->truncated, cut);
		gdump_reset(g);
	}
	gdump_free(g);
}

static void nul_label_cb(void *arg, const struct group *g)
{
	*(unsigned *)arg += g->nlabels == 1 && str_eq(g->labels[0].value, str_n("a\0b\n", 4));
}

/* A label is bytes: a NUL in it ends nothing, escaped or raw. */
static void keeps_nul_in_labels(void **state)
{
	static const char text[] = "goroutine 1 [select] {k: \"a\\x00b\\n\"}:\n" FRAME "\n"
				   "goroutine 2 [select] {k: \"a\0b\\n\"}:\n" FRAME "\n";
	unsigned seen = 0;
	struct gdump_sink sink = {.group = nul_label_cb, .arg = &seen};
	struct gdump *g = gdump_new(&sink);

	(void)state;
	gdump_feed(g, text, sizeof(text) - 1);
	assert_int_equal(gdump_finish(g, NULL), 0);
	assert_int_equal(seen, 2);
	gdump_free(g);
}

static void starts_anew_after_reset(void **state)
{
	static const struct str half = STR_LIT("goroutine 7 [select]:\n" FRAME "\ngoro"),
				whole = STR_LIT("goroutine 7 [select]:\n" FRAME "\n");
	struct buf b = BUF_INIT;
	struct gdump_sink sink = {.group = render_group, .arg = &b};
	struct gdump *g = gdump_new(&sink);

	(void)state;
	gdump_feed(g, half.p, half.len);
	gdump_reset(g);
	buf_reset(&b);
	gdump_feed(g, whole.p, whole.len);
	assert_int_equal(gdump_finish(g, NULL), 0);
	assert_string_equal(b.p, "#7 [select] 0m" SEEN "\n");
	assert_int_equal(gdump_stats(g)->lines, 4);
	assert_int_equal(gdump_stats(g)->duplicates, 0);
	gdump_free(g);
	gdump_free(NULL);
	buf_release(&b);
}

/* More ids than the table begins with, each twice. */
static void counts_each_id_once(void **state)
{
	struct gdump_sink sink = {.group = NULL};
	struct gdump *g = gdump_new(&sink);
	char text[64];

	(void)state;
	for (unsigned i = 0; i < 4000; i++) {
		int n = snprintf(text, sizeof(text), "goroutine %u [select]:\n\n", i % 2000);

		gdump_feed(g, text, (size_t)n);
	}
	assert_int_equal(gdump_finish(g, NULL), 0);
	assert_int_equal(gdump_stats(g)->parsed, 2000);
	assert_int_equal(gdump_stats(g)->duplicates, 2000);
	gdump_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_header),
		cmocka_unit_test(takes_no_other_line_for_a_header),
		cmocka_unit_test(reads_whole_bodies),
		cmocka_unit_test(gives_the_same_for_any_cut),
		cmocka_unit_test(gives_the_same_with_crlf),
		cmocka_unit_test(reads_odd_frames),
		cmocka_unit_test(refuses_what_is_no_dump),
		cmocka_unit_test(tells_where_the_root_is_lost),
		cmocka_unit_test(asks_for_known_records),
		cmocka_unit_test(holds_its_limits),
		cmocka_unit_test(reads_lines_of_70_kb),
		cmocka_unit_test(tells_the_cut_at_64_mib),
		cmocka_unit_test(is_told_of_a_cut),
		cmocka_unit_test(keeps_nul_in_labels),
		cmocka_unit_test(starts_anew_after_reset),
		cmocka_unit_test(counts_each_id_once),
	};

	return cmocka_run_group_tests_name("gdump", tests, NULL, NULL);
}
