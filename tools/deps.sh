#!/bin/sh
# What the project needs from the system, and how to get it.
#
#   deps.sh ensure  SET…    nothing when all is there; else as install
#   deps.sh install SET…    prints the one package-manager line and runs it
#   deps.sh list    SET…    the packages that are missing
#
# SET: build (compiler and libraries), check (what the tests need besides).
# As root it runs the line itself, else through sudo; it asks on a terminal first, CI or YES=1 answers yes.
# On a system it does not know it prints the names and stops with exit 1.
set -eu

verb=${1:-install}
[ $# -gt 0 ] && shift
sets=${*:-build check}

# One line each: how to see that it is there | Debian package | what it is, for other systems
build_needs='cc:gcc|gcc|a C11 compiler
pc:libcurl|libcurl4-openssl-dev|libcurl 7.85 or newer
pc:libevent|libevent-dev|libevent 2.1
pc:sqlite3|libsqlite3-dev|SQLite 3.38 or newer
pc:yaml-0.1|libyaml-dev|libyaml 0.2
pc:jansson|libjansson-dev|jansson 2.13
pc:libpcre2-8|libpcre2-dev|PCRE2 10
pc:libcrypto|libssl-dev|OpenSSL 3 (libcrypto)
pc:zlib|zlib1g-dev|zlib
hd:uthash.h|uthash-dev|uthash
hd:stdlib.h|libc6-dev|the C library headers
cmd:pkg-config|pkg-config|pkg-config'
check_needs='cmd:python3|python3|Python 3.9 or newer
py:pytest|python3-pytest|pytest
pc:cmocka|libcmocka-dev|cmocka
cmd:clang-format|clang-format|clang-format 14
cmd:mandoc|mandoc|mandoc
cmd:sqlite3|sqlite3|the sqlite3 shell
cmd:go|golang-go|Go 1.19 or newer'
clang_needs='cmd:clang|clang|clang
hd:llvm-none.h|libclang-rt-14-dev|the sanitizer runtime of clang'

there() {
	case $1 in
	cc:*) command -v "${CC:-cc}" >/dev/null 2>&1 ;;
	cmd:*) command -v "${1#cmd:}" >/dev/null 2>&1 ;;
	pc:*) pkg-config --exists "${1#pc:}" 2>/dev/null ;;
	py:*) python3 -c "import ${1#py:}" 2>/dev/null || /usr/bin/python3 -c "import ${1#py:}" 2>/dev/null ;;
	hd:llvm-none.h) [ -n "$(find /usr/lib/llvm-*/lib/clang -name 'libclang_rt.asan*x86_64.a' 2>/dev/null | head -1)" ] || [ "$(uname -m)" != x86_64 ] ;;
	hd:*) [ -e "/usr/include/${1#hd:}" ] || [ -e "/usr/local/include/${1#hd:}" ] || [ -e "/usr/include/$(uname -m)-linux-gnu/${1#hd:}" ] ;;
	esac
}

needs() {
	for set in $sets; do
		case $set in
		build) printf '%s\n' "$build_needs" ;;
		check) printf '%s\n' "$check_needs" ;;
		*) echo "deps: no set '$set'; there are build and check" >&2; exit 2 ;;
		esac
	done
	case ${CC:-} in *clang*) printf '%s\n' "$clang_needs" ;; esac
}

missing_rows() {
	needs | while IFS= read -r row; do
		there "${row%%|*}" || printf '%s\n' "$row"
	done
}

rows=$(missing_rows)
if [ "$verb" = list ]; then
	[ -z "$rows" ] || printf '%s\n' "$rows" | cut -d'|' -f2
	exit 0
fi
if [ -z "$rows" ]; then
	[ "$verb" = ensure ] || echo "deps: everything is there"
	exit 0
fi

id=
[ -r /etc/os-release ] && id=$(. /etc/os-release; echo "${ID:-} ${ID_LIKE:-}")
case " $id " in
*" debian "* | *" ubuntu "*) ;;
*)
	echo "deps: this system ($id) is not one whose packages are known here.  Please install:" >&2
	printf '%s\n' "$rows" | cut -d'|' -f3 | sed 's/^/  /' >&2
	exit 1
	;;
esac

packages=$(printf '%s\n' "$rows" | cut -d'|' -f2 | sort -u | tr '\n' ' ')
line="apt-get install -y --no-install-recommends ${packages% }"
if [ "$(id -u)" = 0 ]; then
	as=
elif command -v sudo >/dev/null 2>&1; then
	as='sudo '
else
	echo "deps: not root and no sudo; please run as root:" >&2
	echo "  $line" >&2
	exit 1
fi
echo "deps: missing, to be installed with:"
echo "  $as$line"
if [ -z "${CI:-}" ] && [ "${YES:-}" != 1 ]; then
	if [ -t 0 ]; then
		printf 'deps: run it? [y/N] '
		read -r answer
		case $answer in y* | Y*) ;; *) echo "deps: nothing installed"; exit 1 ;; esac
	else
		echo "deps: no terminal to ask on: say YES=1 to run it" >&2
		exit 1
	fi
fi
# Lists may be missing or old on a fresh system; update first, quietly.
${as}apt-get update -qq || echo "deps: apt-get update failed; going on with the lists there are" >&2
DEBIAN_FRONTEND=noninteractive ${as}${line}
rows=$(missing_rows)
if [ -n "$rows" ]; then
	echo "deps: installed, but still not found:" >&2
	printf '%s\n' "$rows" | cut -d'|' -f3 | sed 's/^/  /' >&2
	exit 1
fi
