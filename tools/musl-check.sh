#!/bin/sh
# Is it portable?  Compiles all of lib/ and daemon/ with musl-gcc, then builds the libraries that most
# of lib/ needs (cmocka, jansson, PCRE2, libyaml, zlib) from Debian's sources for musl, and runs, as
# static programs, the unit tests that need no more than those; it says which are left out, because
# curl, libevent, SQLite and OpenSSL are not built.  Needs musl-tools and the network.
#
#   musl-check.sh BUILD      in BUILD/musl; the libraries are kept there
set -eu

here=${1:?usage: musl-check.sh BUILD}/musl
mkdir -p "$here/src" "$here/include" "$here/lib" "$here/obj"
here=$(cd "$here" && pwd)
build=$(dirname "$here")
command -v musl-gcc >/dev/null || { echo "musl-check: apt-get install musl-tools" >&2; exit 1; }
[ -e "$build/gen/builtin_rules.c" ] || { echo "musl-check: make first" >&2; exit 1; }

# Several .c files into one library: library NAME FLAGS… -- FILES…
library() {
	name=$1 flags=
	shift
	while [ "$1" != -- ]; do flags="$flags $1"; shift; done
	shift
	for c in "$@"; do
		# shellcheck disable=SC2086 # flags are several words
		musl-gcc -O2 -w $flags -c -o "$here/obj/$name-$(basename "$c" .c).o" "$c"
	done
	ar rcs "$here/lib/lib$name.a" "$here/obj/$name"-*.o
}

libraries() {
	cd "$here/src"
	echo 'deb-src http://deb.debian.org/debian bookworm main' >sources.list
	mkdir -p lists/partial
	set -- -qq -o "Dir::Etc::sourcelist=$PWD/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$PWD/lists"
	apt-get "$@" update
	apt-get "$@" source --download-only cmocka jansson pcre2 zlib libyaml
	for f in *.orig.tar.*; do case $f in *.asc) ;; *) tar xf "$f" ;; esac; done
	cp /usr/include/uthash.h "$here/include"
	cp cmocka-*/include/cmocka.h libyaml-*/include/yaml.h zlib-*/zlib.h "$here/include"
	library cmocka -I"$(echo cmocka-*/include)" -DHAVE_SIGNAL_H -DHAVE_STRUCT_TIMESPEC -DHAVE_CLOCK_GETTIME \
		-DHAVE_UNISTD_H -DHAVE_STRINGS_H -DHAVE_STRSIGNAL -- cmocka-*/src/cmocka.c
	jansson=$(echo jansson-*/src)
	touch "$jansson/jansson_private_config.h"
	cp /usr/include/jansson_config.h "$jansson"
	cp "$jansson/jansson.h" "$jansson/jansson_config.h" "$here/include"
	library jansson -I"$jansson" -DHAVE_STDINT_H -DHAVE_LOCALE_H -DHAVE_UNISTD_H -DHAVE_FCNTL_H -DHAVE_SYS_TIME_H \
		-DHAVE_GETTIMEOFDAY -DHAVE_GETPID -DHAVE_OPEN -DHAVE_READ -DHAVE_CLOSE -DUSE_URANDOM -- "$jansson"/*.c
	library yaml -I"$(echo libyaml-*/include)" -DYAML_VERSION_MAJOR=0 -DYAML_VERSION_MINOR=2 -DYAML_VERSION_PATCH=5 \
		'-DYAML_VERSION_STRING="0.2.5"' -- libyaml-*/src/*.c
	(cd zlib-* && CC=musl-gcc ./configure --static >/dev/null && make -s libz.a && cp libz.a "$here/lib" && cp zconf.h "$here/include")
	cd pcre2-*/src
	cp config.h.generic config.h
	cp pcre2.h.generic pcre2.h
	cp pcre2_chartables.c.dist pcre2_chartables.c
	cp pcre2.h "$here/include"
	# Some are parts that others include; the programs and the POSIX face are not needed.
	list=$(ls pcre2_*.c | grep -vE 'dftables|jit_|printint|fuzz|ucptables')
	# shellcheck disable=SC2086
	library pcre2-8 -I. -DHAVE_CONFIG_H -DPCRE2_CODE_UNIT_WIDTH=8 -DPCRE2_STATIC -DSUPPORT_UNICODE -DHAVE_STDINT_H \
		-DHAVE_INTTYPES_H -DHAVE_STDLIB_H -DHAVE_STRING_H -DHAVE_MEMMOVE -- $list pcre2_jit_compile.c
	touch "$here/lib/complete"
}

[ -e "$here/lib/complete" ] || (libraries)
flags="-std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -O1 -Wall -Wextra -Wno-format-truncation -pthread -Ilib -Idaemon -I$here/include"
# Headers of the libraries that are not built are the system's, after musl's own.
system="-idirafter /usr/include -idirafter /usr/include/$(gcc -print-multiarch)"
rm -f "$here"/obj/lw-*.o
for c in lib/*.c daemon/*.c "$build"/gen/*.c; do
	o=$here/obj/lw-$(echo "$c" | tr / _).o
	# shellcheck disable=SC2086
	musl-gcc $flags $system -DPCRE2_STATIC '-DLEAKWATCH_VERSION="musl"' -c -o "$o" "$c"
done
rm -f "$here/lib/libleakwatch.a"
ar rcs "$here/lib/libleakwatch.a" "$here"/obj/lw-*.o
passed=0 failed=0 left=
for t in tests/unit/test_*.c; do
	name=$(basename "$t" .c)
	# shellcheck disable=SC2086
	if ! musl-gcc -static $flags -o "$here/obj/$name" "$t" -L"$here/lib" -lleakwatch -lcmocka -ljansson -lyaml -lpcre2-8 -lz -lm \
		2>/dev/null; then
		left="$left $name"
	elif "$here/obj/$name" >"$here/obj/$name.out" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "musl-check: $name failed: $here/obj/$name.out"
	fi
done
echo "musl-check: all files compile; left out:$left"
echo "musl-check: $passed test programs passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -ge 30 ]
