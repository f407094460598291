#!/bin/sh
# What the project needs from the system, and how to get it.
#
#   deps.sh ensure  SET…    silent when all is there; else as install
#   deps.sh install SET…    prints the one package-manager line and runs it
#   deps.sh list    SET…    the packages that are missing, one a line
#
# SET: build (compiler and libraries), check (what the tests need besides).  With CC=clang that
# compiler and its sanitizer runtime are asked for too.
# As root the line runs as it is, else through sudo.  On a terminal it is asked for first; CI (set
# to anything) or YES=1 answers yes.  On a system whose packages are not known here it prints what
# is missing and stops with exit 1.
set -eu

usage() {
	echo "usage: deps.sh ensure|install|list [build] [check]" >&2
	exit 2
}

# A row: how to see that it is there | Debian package | what it is, for other systems
build_needs='cc|gcc|a C11 compiler
header stdlib.h|libc6-dev|the C library headers
command pkg-config|pkg-config|pkg-config
library libcurl 7.85|libcurl4-openssl-dev|libcurl 7.85 or newer
library libevent 2.1|libevent-dev|libevent 2.1 or newer
library sqlite3 3.38|libsqlite3-dev|SQLite 3.38 or newer
library yaml-0.1|libyaml-dev|libyaml 0.2
library jansson 2.13|libjansson-dev|jansson 2.13 or newer
library libpcre2-8|libpcre2-dev|PCRE2 10
library libcrypto 3|libssl-dev|OpenSSL 3 (libcrypto)
library zlib|zlib1g-dev|zlib
header uthash.h|uthash-dev|uthash'
check_needs='python|python3|Python 3.9 or newer
pytest|python3-pytest|pytest
library cmocka|libcmocka-dev|cmocka
command clang-format|clang-format|clang-format 14
command mandoc|mandoc|mandoc
command sqlite3|sqlite3|the sqlite3 shell
go|golang-go|Go 1.19 or newer'
clang_needs='command clang|clang|clang
sanitizers clang|libclang-rt-dev|the sanitizer runtime of clang'

have() {
	command -v "$1" >/dev/null 2>&1
}

# Is what a row's first field names there?
there() {
	case $1 in
	cc) have "${CC:-cc}" ;;
	header) printf '#include <%s>\n' "$2" | "${CC:-cc}" -E -x c - >/dev/null 2>&1 ;;
	command) have "$2" ;;
	library) pkg-config ${3:+--atleast-version="$3"} --exists "$2" 2>/dev/null ;;
	python) have python3 && python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' ;;
	# A python3 of the user's own may lack what the system's has; the Makefile looks at both.
	pytest) python3 -c 'import pytest' 2>/dev/null || /usr/bin/python3 -c 'import pytest' 2>/dev/null ;;
	sanitizers) echo 'int main(void) { return 0; }' | "$2" -fsanitize=address -x c -o /dev/null - 2>/dev/null ;;
	go) [ -n "${LEAKWATCH_GO:-}" ] || have go || [ -x /usr/local/go/bin/go ] || [ -x /usr/lib/go/bin/go ] ;;
	*) echo "deps: no such test: $1" >&2; exit 2 ;;
	esac
}

needs() {
	for set in $sets; do
		case $set in
		build) printf '%s\n' "$build_needs" ;;
		check) printf '%s\n' "$check_needs" ;;
		esac
	done
	case ${CC:-} in *clang*) printf '%s\n' "$clang_needs" ;; esac
}

missing_rows() {
	needs | while IFS= read -r row; do
		# The first field is split into words on purpose: a test and its arguments.
		# shellcheck disable=SC2086
		there ${row%%|*} </dev/null || printf '%s\n' "$row"
	done
}

names() {
	printf '%s\n' "$rows" | cut -d'|' -f3 | sed 's/^/  /'
}

verb=${1:-}
[ $# -eq 0 ] || shift
sets=${*:-build check}
case $verb in ensure | install | list) ;; *) usage ;; esac
for set in $sets; do
	case $set in build | check) ;; *) usage ;; esac
done

rows=$(missing_rows)
if [ "$verb" = list ]; then
	[ -z "$rows" ] || printf '%s\n' "$rows" | cut -d'|' -f2
	exit 0
fi
if [ -z "$rows" ]; then
	[ "$verb" = ensure ] || echo "deps: everything is there"
	exit 0
fi

# shellcheck disable=SC1091
id=$([ ! -r /etc/os-release ] || { . /etc/os-release && echo "${ID:-} ${ID_LIKE:-}"; })
case " $id " in
*" debian "* | *" ubuntu "*) ;;
*)
	echo "deps: no package names known for this system (${id:-no /etc/os-release}); please install:" >&2
	names >&2
	exit 1
	;;
esac

as=
if [ "$(id -u)" != 0 ]; then
	as='sudo '
fi
line="${as}apt-get install -y --no-install-recommends $(printf '%s\n' "$rows" | cut -d'|' -f2 | sort -u | paste -sd' ' -)"
if [ -n "$as" ] && ! have sudo; then
	echo "deps: missing; neither root nor sudo here, so please have root run:" >&2
	echo "  ${line#sudo }" >&2
	exit 1
fi
echo "deps: missing, to be installed with:"
echo "  $line"
if [ -z "${CI:-}" ] && [ "${YES:-}" != 1 ]; then
	if ! [ -t 0 ]; then
		echo "deps: nothing installed: no terminal to ask on (YES=1 answers yes)" >&2
		exit 1
	fi
	printf 'deps: run it? [y/N] '
	read -r answer || answer=
	case $answer in
	y* | Y*) ;;
	*)
		echo "deps: nothing installed" >&2
		exit 1
		;;
	esac
fi
# shellcheck disable=SC2086 # $as and $line are words on purpose
install() {
	# Without debconf's questions; sudo would drop the variable, env does not.
	$as env DEBIAN_FRONTEND=noninteractive "$@"
}
# The package lists of a fresh system are missing or old.
install apt-get update -qq || echo "deps: apt-get update failed; going on with the lists there are" >&2
# shellcheck disable=SC2086
install ${line#sudo }
rows=$(missing_rows)
if [ -n "$rows" ]; then
	echo "deps: installed, but still not found or too old:" >&2
	names >&2
	exit 1
fi
