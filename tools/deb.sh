#!/bin/sh
# Builds the Debian package of the commit that is checked out, in build/deb, and has lintian look at
# it.  Needs debhelper, lintian and fakeroot (and what the program itself needs).
#
#   deb.sh VERSION
set -eu

version=${1:?usage: deb.sh VERSION}
for tool in dpkg-buildpackage dh lintian; do
	command -v "$tool" >/dev/null 2>&1 || {
		echo "deb: $tool is missing: apt-get install dpkg-dev debhelper lintian fakeroot" >&2
		exit 1
	}
done
out=build/deb
rm -rf "$out"
mkdir -p "$out/leakwatch-$version"
git archive HEAD | tar -x -C "$out/leakwatch-$version"
sed -i "1s/(.*)/($version)/" "$out/leakwatch-$version/debian/changelog"
(cd "$out/leakwatch-$version" && dpkg-buildpackage -us -uc -b)
# The maintainer's address is for whoever publishes a package to fill in.
lintian --allow-root --fail-on error,warning \
	--suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog "$out"/leakwatch_*.changes
ls -l "$out"/leakwatch_*.deb
