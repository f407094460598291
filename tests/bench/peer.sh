#!/bin/sh
# peer.sh BUILD [DUMP…]: the body that bench_parse reads, and dumps given, read by gostackparse (built with the Go
# at hand) and by us: turn by turn, three times, the best of each in processor time.  Without Go, or without its
# module (no network), it says so and ends well.
set -eu
build=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")/peer"
go=$(command -v go || echo /usr/local/go/bin/go)
[ -x "$go" ] || { echo "gostackparse: skipped, there is no Go"; exit 0; }
mkdir -p "$build/peer"
cp main.go go.mod go.sum "$build/peer/"
if ! (cd "$build/peer" && GOTOOLCHAIN=local "$go" build -o peer . 2>build.log); then
	echo "gostackparse: skipped, it cannot be built here: $(tail -n 1 "$build/peer/build.log")"
	exit 0
fi
"$build/tests/bench/bench_parse" "$build/peer/debug2.txt"

# The least of what the command prints and the number given, 0 being none yet.
least() {
	now=$("$build/$2" ${3:+"$3"} "$4")
	[ "$1" -eq 0 ] || [ "$now" -lt "$1" ] && echo "$now" || echo "$1"
}

for dump in "$build/peer/debug2.txt" "$@"; do
	ours=0
	theirs=0
	for _ in 1 2 3; do
		ours=$(least "$ours" tests/bench/bench_parse -r "$dump")
		theirs=$(GOMAXPROCS=1 least "$theirs" peer/peer "" "$dump")
	done
	awk -v b="$(wc -c <"$dump")" -v o="$ours" -v t="$theirs" -v f="$(basename "$dump")" 'BEGIN {
		printf "%-28s %6.2f GB/s  beside gostackparse\047s %.2f GB/s: %.1f times\n", f, b/o, b/t, t/o }'
done
rm -f "$build/peer/debug2.txt"
