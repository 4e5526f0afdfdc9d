#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A full disk: the command says so, with need and free, and the store is as it was.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=$(realpath "${1:?usage: disk_full.sh SNAPLINE}")

# A small file system of our own, seen by nobody else and gone with us.
if [ -z "${SMALL_DISK:-}" ]; then
	for how in '--mount' '--mount --user --map-root-user'; do
		# $how is a list of words.
		# shellcheck disable=SC2086
		if unshare $how true 2>/dev/null; then
			SMALL_DISK=1 exec unshare $how "$0" "$snapline"
		fi
	done
	echo "neither root nor user namespaces: cannot mount a small disk"
	exit 77
fi
# shellcheck source=lib.sh
. "$here/lib.sh"
mkdir "$dir/disk"
mount -t tmpfs -o size=4m snapline-test "$dir/disk"
trap 'umount "$dir/disk"; cleanup' EXIT
store=$dir/disk/store

mkdir "$dir/small" "$dir/large"
echo small >"$dir/small/file"
head -c 1000000 /dev/urandom >"$dir/large/a"
head -c 5000000 /dev/urandom >"$dir/large/b"

"$snapline" snapshot create --store "$store" --index 1 --term 1 "$dir/small"
before=$(ls -R "$store")
expect 73 "No space left" "$snapline" snapshot create --store "$store" --index 2 --term 1 \
	"$dir/large"
[ "$(ls -R "$store")" = "$before" ] || fail "the store is not as it was: $(ls -R "$store")"
expect 0 'sound' "$snapline" snapshot verify --store "$store"

# With room again, the same command succeeds.
rm "$dir/large/b"
expect 0 'index 2' "$snapline" snapshot create --store "$store" --index 2 --term 1 \
	"$dir/large"
