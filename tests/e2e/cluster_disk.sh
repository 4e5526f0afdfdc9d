#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A follower of a real Raft group whose disk is too small for the snapshot: it says so, goes
# on with heartbeats and reads, and catches up by itself once there is room.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=$(realpath "${1:?usage: cluster_disk.sh build/snapline}")

# A small file system of our own, seen by nobody else and gone with us.
if [ -z "${NAMESPACE:-}" ]; then
	for how in '--mount' '--mount --user --map-root-user'; do
		# $how is a list of words.
		# shellcheck disable=SC2086
		if unshare $how true 2>/dev/null; then
			NAMESPACE=$how exec unshare $how "$0" "$snapline"
		fi
	done
	echo "neither root nor user namespaces: cannot mount a small disk"
	exit 77
fi
kv=$(dirname "$snapline")/snapline-kv
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=kv.sh
. "$here/kv.sh"
if [ -z "${DISK:-}" ]; then
	export DISK=$dir/disk
	mkdir "$DISK"
	trap 'umount "$dir/disk" && cleanup' EXIT
	mount -t tmpfs -o size=80m,mode=777 snapline-test "$DISK"
	# The root of a namespace is an ordinary user already.
	[ "$NAMESPACE" != --mount ] || become_user "$0" "$(dirname "$snapline")"
fi

path=tcp
# The log kept for a follower is let go soon: the stories cut it beyond the next one.
kv_options=(--snapshot-threshold 100 --snapshot-trailing 20 --set pin-log-linger-s=1)
found_cluster 3
fill 0 8000 4 first
expect_equal 1 2 3
cut_log

# ---- too small from the beginning: refused before the first byte, tried again and again
small=$(follower 1)
stop_server "$small"
wipe_server "$small"
mkdir "$dir/$small"
ln -s "$DISK" "$dir/$small/store"
mkdir "$DISK/lost+found" # a disk of its own has one
head -c 60M /dev/zero >"$DISK/lost+found/ballast"
start_server "$small" --join
has_failed() {
	[ "$(info "$small" install_failures)" -ge 2 ]
}
wait_for 30 has_failed || explain 'the follower does not say that it failed'
grep -q 'warn install event=failed .*free' "$dir/$small.log" ||
	explain 'the follower does not say what is free'
[ "$(info "$small" snapshot_is_in_error)" = 0 ] || explain 'the follower gave up for good'
[ "$(info "$small" leader_id)" = "$leader" ] || explain 'the follower does not hear its leader'
fill 8000 8001 1 meanwhile # the others are a quorum
rm "$DISK/lost+found/ballast"
expect_equal 1 2 3
expect_installed "$small"

# ---- full while a snapshot is saved: the old one stays, the log grows, writes go on, and
# the disk is not filled over and over
before=$(info "$small" store_index)
fill 8001 8002 1 larger
head -c 30M /dev/zero >"$DISK/lost+found/ballast"
cut_log
wait_for 30 grep -q 'event=save_failed' "$dir/$small.log" ||
	explain 'no save fails on a full disk'
[ "$(info "$small" store_index)" = "$before" ] || explain 'the old snapshot is gone'
expect_equal 1 2 3

cut_log
[ "$(grep -c 'event=save_failed' "$dir/$small.log")" -le 3 ] ||
	explain 'a save that cannot succeed is tried all the time'

# ---- and with room again a later save succeeds
rm "$DISK/lost+found/ballast"
saves_again() {
	cut_log
	[ "$(info "$small" store_index)" -gt "$before" ]
}
wait_for 30 saves_again || explain 'no save succeeds although there is room again'
