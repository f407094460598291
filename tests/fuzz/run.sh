#!/bin/sh
# run.sh SECONDS FUZZER.c…: builds each fuzzer with clang's libFuzzer and the address and undefined-behaviour
# sanitizers and runs it that long, from the seeds beside this file.  What it finds is kept in build/fuzz/corpus;
# an input that breaks something is kept in build/fuzz and named.  Exit 1 when there is one.
set -eu
seconds=$1
shift
cd "$(dirname "$0")/../.."
command -v clang >/dev/null || { echo "fuzz: clang is missing (make deps)" >&2; exit 1; }
flags='-fsanitize=fuzzer-no-link -O1 -g'
make --no-print-directory BUILD=build/fuzz CC=clang SAN=1 CFLAGS="$flags" build/fuzz/libleakwatch.a
libs=$(pkg-config --libs libcurl libevent sqlite3 yaml-0.1 jansson libpcre2-8 libcrypto zlib)
failed=0
for source in "$@"; do
	name=$(basename "$source" .c)
	seeds=tests/fuzz/seeds/${name#fuzz_}
	corpus=build/fuzz/corpus/$name
	mkdir -p "$corpus"
	[ -d "$seeds" ] || seeds=$corpus
	make --no-print-directory BUILD=build/fuzz CC=clang SAN=1 CFLAGS="$flags" "build/fuzz/tests/fuzz/$name.o"
	# shellcheck disable=SC2086  # the libraries are a list
	clang -fsanitize=fuzzer,address,undefined -o "build/fuzz/$name" "build/fuzz/tests/fuzz/$name.o" \
		build/fuzz/libleakwatch.a $libs -lm -pthread
	echo "== $name, $seconds s"
	"build/fuzz/$name" -max_total_time="$seconds" -max_len=8192 -timeout=10 -rss_limit_mb=1024 \
		-artifact_prefix="build/fuzz/$name-" -print_final_stats=1 "$corpus" "$seeds" 2>"build/fuzz/$name.log" ||
		{ failed=1; tail -n 40 "build/fuzz/$name.log"; }
	grep -E 'number_of_executed_units|new_units_added|peak_rss' "build/fuzz/$name.log" || true
done
exit $failed
