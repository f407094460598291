#!/bin/sh
# Programs that tests talk to (Prometheus, Alertmanager, Chromium): fetched from the distribution
# and unpacked under build/peers, never installed, since installing them would start services.
#
#   peers.sh get PACKAGE…   downloads and unpacks what is not there yet; prints each one's folder
#
# A package is unpacked together with the libraries it needs and this system lacks
# (usr/lib/… below the same folder).  PEERS names another place than build/peers.
set -eu

usage() {
	echo "usage: peers.sh get PACKAGE…" >&2
	exit 2
}

# What apt would install for the package: itself and what is missing here, less fonts and web files.
parts() {
	apt-get -s -o APT::Get::Show-User-Simulation-Note=false install --reinstall --no-install-recommends "$1" |
		awk -v own="$1" '$1 == "Inst" && ($2 == own || $2 !~ /^(fonts|libjs)-/) { print $2 }'
}

get() {
	exec 9>"$peers/.lock"
	flock 9 # several tests may ask at once
	if [ -e "$peers/$1/.complete" ]; then
		return 0
	fi
	rm -rf "${peers:?}/$1"
	mkdir -p "$peers/$1/debs"
	list=$(parts "$1")
	[ -n "$list" ] || { echo "peers: apt knows no package $1 (apt-get update?)" >&2; return 1; }
	# As root apt would fetch as another user, who may not write here.
	# shellcheck disable=SC2086
	(cd "$peers/$1/debs" && apt-get -qq -o APT::Sandbox::User=root download $list) >&2
	for deb in "$peers/$1/debs"/*.deb; do
		dpkg-deb -x "$deb" "$peers/$1"
	done
	rm -rf "$peers/$1/debs"
	: >"$peers/$1/.complete"
}

if [ "${1:-}" != get ] || [ $# -lt 2 ]; then
	usage
fi
shift
peers=${PEERS:-$(dirname "$0")/../build/peers}
mkdir -p "$peers"
peers=$(cd "$peers" && pwd)
for package in "$@"; do
	case $package in
	*[!a-z0-9.+-]* | '') usage ;;
	esac
	get "$package"
	echo "$peers/$package"
done
