#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What `make install` leaves behind: a program, a header and a library that exports
# snapline_* and nothing else, in both forms; `make uninstall` takes all of it back.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=$(realpath "${1:?usage: install.sh SNAPLINE}")
# shellcheck source=lib.sh
. "$here/lib.sh"
root=$(realpath "$here/../..")
build=$(dirname "$snapline")

run_make() { # TARGET
	make --no-print-directory -s -C "$root" BUILD="$build" DESTDIR="$dir/root" \
		PREFIX=/usr "$1" >"$dir/make.log" 2>&1 || fail "make $1: $(cat "$dir/make.log")"
}
exported() { # NM_OPTION... FILE: global symbols that are not ours
	nm --defined-only --extern-only "$@" | awk 'NF == 3 && $3 !~ /^snapline_/ { print $3 }'
}

run_make install
lib=$dir/root/usr/lib
"$dir/root/usr/bin/snapline" --version >"$dir/out"
[ -z "$(exported -D "$lib/libsnapline.so")" ] ||
	fail "libsnapline.so also exports $(exported -D "$lib/libsnapline.so" | head -n 3)"
[ -z "$(exported "$lib/libsnapline.a")" ] ||
	fail "libsnapline.a also exports $(exported "$lib/libsnapline.a" | head -n 3)"

# A sanitized library wants a sanitized program.
if ! nm -D "$lib/libsnapline.so" | grep -q __asan_init; then
	export PKG_CONFIG_PATH=$lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$dir/root
	# shellcheck disable=SC2046 # flags are words
	gcc -o "$dir/example" "$root/tests/os/api_example.c" \
		$(pkg-config --cflags --libs snapline) || fail 'the example does not build'
	LD_LIBRARY_PATH=$lib "$dir/example" >"$dir/out" 2>"$dir/err" ||
		fail "the example: $(cat "$dir/out" "$dir/err")"
	grep -q 'the follower has 42' "$dir/out" || fail "$(cat "$dir/out")"
fi

run_make uninstall
left=$(find "$dir/root" ! -type d)
[ -z "$left" ] || fail "left behind: $left"
