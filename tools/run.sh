#!/bin/sh
# make run: the daemon in the foreground, with its store under the build folder, until Ctrl-C.
#
#   run.sh LEAKWATCH BUILD [HOST:PORT]
#
# Without an address it watches a recording of a leaking Go service (fixtures/recordings/registry),
# which `leakwatch replay` serves several times as fast as it was recorded, with the detector's
# clock made faster to match, so that the alert comes within two minutes.  With one it watches that
# service, in real time.  The store of an earlier demonstration is thrown away; the one of a real
# service is kept and gone on with.
# shellcheck disable=SC2317 # stop and interrupted are called by trap
set -eu

leakwatch=$1 build=$2 target=${3:-}
recording=fixtures/recordings/registry
speed=4
here=$build/run
replay=
daemon=

stop() {
	trap - INT TERM HUP EXIT
	for pid in $daemon $replay; do
		kill "$pid" 2>/dev/null || :
	done
	for pid in $daemon $replay; do
		wait "$pid" 2>/dev/null || :
	done
	rm -f "$here/replay.out"
}
interrupted() {
	stop
	echo "run: stopped; the history is in $here/$store"
	exit 0
}

mkdir -p "$here"
if [ -n "$target" ]; then
	store=$(printf %s "$target" | tr -c 'A-Za-z0-9.\n' _).db
	job=service
	clock='# The detector runs in real time: a slow leak is told after hours, a fast one within the hour.'
	interval=10s
else
	store=demo.db
	rm -f "$here/$store" "$here/$store"-wal "$here/$store"-shm
	job=registry
	clock='# 600 times as fast as real time, for the demonstration.
detect: {window: 200ms}'
	interval=500ms
fi
trap stop EXIT
trap interrupted INT TERM HUP

if [ -z "$target" ]; then
	"$leakwatch" replay --listen 127.0.0.1:0 --speed $speed "$recording" >"$here/replay.out" &
	replay=$!
	# It says where it listens once it does.
	tries=100
	until target=$(sed -n 's/.* on \(127\.0\.0\.1:[0-9]*\).*/\1/p' "$here/replay.out") && [ -n "$target" ]; do
		tries=$((tries - 1))
		if [ $tries = 0 ] || ! kill -0 "$replay" 2>/dev/null; then
			echo "run: the recording is not served" >&2
			exit 1
		fi
		sleep 0.1
	done
	echo "run: a recording of a Go service that leaks, played $speed times as fast as it was made;"
	echo "run: the detector's clock runs 600 times as fast.  Expect the alert within two minutes."
fi

cat >"$here/leakwatch.yaml" <<EOF
# Written by tools/run.sh.
global: {scrape_interval: $interval, scrape_timeout: $interval}
scrape_configs:
  - job_name: $job
    static_configs: [{targets: ["$target"]}]
# Beside this file.
storage: {path: "$store"}
# Not the usual port, which may be a real daemon's.
web: {listen_address: "127.0.0.1:$((20000 + $$ % 20000))"}
$clock
EOF
echo "run: watching $target with $here/leakwatch.yaml; Ctrl-C ends it"
"$leakwatch" run -c "$here/leakwatch.yaml" &
daemon=$!
status=0
wait "$daemon" || status=$?
daemon=
# It may hear the signal, and end, before this script does.
[ "$status" != 0 ] || echo "run: stopped; the history is in $here/$store"
exit "$status"
