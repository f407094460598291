#!/bin/sh
# peer.sh BUILD: gostackparse on the body that bench_parse reads, built with the Go at hand.  Without Go,
# or without its module (no network), it says so and ends well.
set -eu
build=$(cd "$1" && pwd)
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
GOMAXPROCS=1 "$build/peer/peer" "$build/peer/debug2.txt"
rm -f "$build/peer/debug2.txt"
