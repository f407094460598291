#!/bin/sh
# Proves that a bare Debian 12 is enough: debootstrap with git, make and certificates only, a clean
# clone of HEAD, then `make run` until it tells of the leak, and `make check`.  Run by hand, as
# root; needs the network, about 2 GB, and some minutes.
#
#   chroot-check.sh DIR [MIRROR]      DIR is made, or gone on with when it is there
set -eu

dir=${1:?usage: chroot-check.sh DIR [MIRROR]}
mirror=${2:-} # without: the one that debootstrap knows
source=$(cd "$(dirname "$0")/.." && pwd)

[ "$(id -u)" = 0 ] || { echo "chroot-check: needs root" >&2; exit 1; }
if [ ! -e "$dir/etc/debian_version" ]; then
	debootstrap --variant=minbase --include=git,make,ca-certificates bookworm "$dir" ${mirror:+"$mirror"}
fi
# How this machine reaches the mirror (a proxy, a name server) holds inside too.
for file in /etc/resolv.conf /etc/hosts; do
	[ ! -e "$file" ] || cp -L "$file" "$dir$file"
done
apt-config dump Acquire::http::Proxy Acquire::https::Proxy >"$dir/etc/apt/apt.conf.d/99from-outside"

unmount() {
	umount "$dir/proc" "$dir/dev/pts" "$dir/dev" 2>/dev/null || :
}
trap unmount EXIT
trap 'exit 1' INT TERM
mkdir -p "$dir/proc" "$dir/dev"
mountpoint -q "$dir/proc" || mount -t proc proc "$dir/proc"
mountpoint -q "$dir/dev" || mount --bind /dev "$dir/dev"
mountpoint -q "$dir/dev/pts" || mount -t devpts devpts "$dir/dev/pts"

rm -rf "$dir/src"
git clone -q --no-hardlinks "$source" "$dir/src"
inside() {
	chroot "$dir" env -i HOME=/nonexistent LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		YES=1 sh -euc "cd /src
$1"
}

echo "chroot-check: make run"
began=$(date +%s)
# In a session of its own, so that SIGINT goes to all of it, as Ctrl-C does, once the alert is there
# (or after 15 minutes).  It then has to end by itself and leave nothing behind.
# shellcheck disable=SC2016 # expanded inside
inside '
	rm -f run.log run.pid
	{
		n=900
		while [ $n -gt 0 ] && ! grep -q "alert firing: GoroutineLeak" run.log 2>/dev/null; do
			sleep 1
			n=$((n - 1))
		done
		kill -s INT -- "-$(cat run.pid)" # dash takes no -INT here
	} &
	setsid --wait sh -c "echo \$\$ >run.pid; exec make run >run.log 2>&1" || :
	cat run.log
	grep -q "alert firing: GoroutineLeak" run.log
	grep -q "^run: stopped" run.log
'
for exe in /proc/[0-9]*/exe; do
	case $(readlink "$exe" || :) in
	"$(readlink -f "$dir")"/*) echo "chroot-check: $(readlink "$exe") still runs" >&2; exit 1 ;;
	esac
done
echo "chroot-check: the alert came; make run took $(($(date +%s) - began)) s in all"
echo "chroot-check: make check"
began=$(date +%s)
inside 'make check'
echo "chroot-check: make check took $(($(date +%s) - began)) s; all of it passed in $dir"
