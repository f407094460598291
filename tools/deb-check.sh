#!/bin/sh
# Proves that the package is right for a bare Debian 12: installed into a fresh debootstrap it starts
# nothing, `leakwatch run` works from it as its own user, an upgrade keeps a changed conffile, and a
# purge leaves nothing.  Run by hand after `make deb`, as root; needs the network and about 500 MB.
#
#   deb-check.sh DIR [MIRROR]      DIR is made, or gone on with when it is there
set -eu

dir=${1:?usage: deb-check.sh DIR [MIRROR]}
mirror=${2:-}
cd "$(dirname "$0")/.."
deb=$(ls build/deb/leakwatch_*_*.deb)

[ "$(id -u)" = 0 ] || { echo "deb-check: needs root" >&2; exit 1; }
if [ ! -e "$dir/etc/debian_version" ]; then
	debootstrap --variant=minbase bookworm "$dir" ${mirror:+"$mirror"}
fi
for file in /etc/resolv.conf /etc/hosts; do
	[ ! -e "$file" ] || cp -L "$file" "$dir$file"
done
apt-config dump Acquire::http::Proxy Acquire::https::Proxy >"$dir/etc/apt/apt.conf.d/99from-outside"

unmount() {
	umount "$dir/proc" "$dir/dev" 2>/dev/null || :
}
trap unmount EXIT
trap 'exit 1' INT TERM
mkdir -p "$dir/proc" "$dir/dev"
mountpoint -q "$dir/proc" || mount -t proc proc "$dir/proc"
mountpoint -q "$dir/dev" || mount --bind /dev "$dir/dev"
cp "$deb" "$dir/tmp/leakwatch.deb"
rm -rf "$dir/tmp/recording"
cp -r fixtures/recordings/registry "$dir/tmp/recording"

inside() {
	chroot "$dir" env -i HOME=/nonexistent LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin sh -euc "$1"
}
running() {
	for exe in /proc/[0-9]*/exe; do
		case $(readlink "$exe" || :) in
		"$(readlink -f "$dir")"/usr/bin/leakwatch*) readlink "$exe" ;;
		esac
	done
}

inside 'apt-get update -q && apt-get install -q -y --no-install-recommends /tmp/leakwatch.deb'
[ -z "$(running)" ] || { echo "deb-check: it was started unasked" >&2; exit 1; }
echo "deb-check: installed, nothing was started"

# shellcheck disable=SC2016 # expanded inside
inside '
	! [ -e /etc/systemd/system/multi-user.target.wants/leakwatch.service ]
	getent passwd leakwatch
	leakwatch check-config
	for page in 1 5 7 7; do ls /usr/share/man/man$page/leakwatch* >/dev/null; done
	install -d -o leakwatch -g leakwatch /var/lib/leakwatch
	chmod -R a+rX /tmp/recording
	leakwatch replay --listen 127.0.0.1:6061 --speed 4 /tmp/recording >/tmp/replay.out &
	replay=$!
	cat >/tmp/try.yaml <<-END
	global: {scrape_interval: 500ms, scrape_timeout: 500ms}
	scrape_configs: [{job_name: registry, static_configs: [{targets: ["127.0.0.1:6061"]}]}]
	detect: {window: 200ms}
	storage: {path: /var/lib/leakwatch/leakwatch.db}
	web: {listen_address: ""}
	END
	setpriv --reuid leakwatch --regid leakwatch --clear-groups leakwatch run -c /tmp/try.yaml >/tmp/run.log 2>&1 &
	run=$!
	n=300
	while [ $n -gt 0 ] && ! grep -q "alert firing: GoroutineLeak" /tmp/run.log; do
		sleep 1
		n=$((n - 1))
	done
	leakwatch status
	leakwatch alerts
	kill $run $replay
	wait $run
	grep "alert firing: GoroutineLeak" /tmp/run.log
'
echo "deb-check: it watches, and tells of the leak"

# shellcheck disable=SC2016 # expanded inside
inside '
	echo "# ours" >>/etc/leakwatch/leakwatch.yaml
	apt-get install -q -y --reinstall -o Dpkg::Options::=--force-confold /tmp/leakwatch.deb >/dev/null
	tail -1 /etc/leakwatch/leakwatch.yaml | grep -qx "# ours"
	apt-get remove -q -y leakwatch >/dev/null
	[ -e /etc/leakwatch/leakwatch.yaml ]
	[ -e /var/lib/leakwatch/leakwatch.db ]
	apt-get purge -q -y leakwatch >/dev/null
	left=$(find / -xdev -name "*leakwatch*" -not -path "/proc/*" -not -path "/tmp/*" -not -path "/root/*" -not -path "/var/log/*" -not -path "/var/cache/*")
	[ -z "$left" ] || { echo "deb-check: left after purge: $left" >&2; exit 1; }
'
echo "deb-check: a changed conffile stays, a purge leaves nothing; all of it passed in $dir"
