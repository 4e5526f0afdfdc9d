#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A follower whose disk is too small, or that somebody else fills in the middle of a
# transfer: both sides hear it, with need and free, and the store is as it was.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=$(realpath "${1:?usage: full_follower.sh SNAPLINE}")

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
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=nodes.sh
. "$here/nodes.sh"
if [ -z "${DISK:-}" ]; then
	export DISK=$dir/disk
	mkdir "$DISK"
	trap 'umount "$dir/disk" && cleanup' EXIT
	mount -t tmpfs -o size=300m,mode=777 snapline-test "$DISK"
	# The root of a namespace is an ordinary user already.
	[ "$NAMESPACE" != --mount ] || become_user "$0"
fi
choose_addresses leader follower

mkdir "$dir/from" "$dir/small"
make_data "$dir/from/large" 256
echo old >"$dir/small/file"
"$snapline" snapshot create --store "$dir/leader" --index 2 --term 1 "$dir/from" >"$dir/out"
rm "$dir/from/large"
ln -s "$DISK/store" "$dir/follower" # where nodes.sh looks for it
"$snapline" snapshot create --store "$DISK/store" --index 1 --term 1 "$dir/small" >"$dir/out"
start_leader
start_follower
expect_as_it_was() {
	expect_kept "$DISK/store" 1
}

# ---- too small from the beginning: refused before the first byte
head -c 100M /dev/zero >"$DISK/ballast"
expect_error 73 "$follower" 'needs' 'free' -- start_transfer --quiet
cat "$dir/stderr"
grep -q ' warn install event=failed .*free' "$dir/follower.log" ||
	explain follower 'does not say what is free'
[ "$("$snapline" transfer list --admin "$dir/follower.sock" --json |
	jq '.[-1] | .bytes_done')" = 0 ] || fail 'bytes were moved to a disk that is too small'
expect_as_it_was
expect_error 73 'needs' 'free' -- pull "$DISK/pulled" --quiet
cat "$dir/stderr"
expect_kept "$DISK/pulled"
rm -r "$DISK/pulled" "$DISK/ballast"

# ---- filled by another writer in the middle: the bytes have their place already, so either
# everything fits or the commit says what is missing
rm -rf "$DISK/store/temp"
start_transfer --quiet >"$dir/begun" 2>"$dir/begun.err" </dev/null &
begun=$!
pids+=("$begun")
until [ -e "$DISK/store/temp/large" ] || is_gone "$begun"; do
	:
done
# Memory to memory is over in an instant: the leader is let run in small steps until the
# follower has something, and stands still while the disk is filled.
for ((i = 0; i < 50; i++)); do
	kill -STOP "${leader_pid:?}"
	sleep 0.25 # the follower counts every 200 ms
	! is_moving follower 0 >"$dir/out" || break
	kill -CONT "$leader_pid"
	sleep 0.02
done
is_moving follower 0 >"$dir/out" ||
	explain follower "not in mid-transfer: $(cat "$dir/moving.json")"
head -c 300M /dev/zero >"$DISK/ballast" 2>"$dir/out" || true
kill -CONT "$leader_pid"
status=0
wait_for 10 is_gone "$begun" || fail 'still running'
wait "$begun" || status=$?
echo "filled in the middle: exit $status $(cat "$dir/begun.err")"
if [ "$status" = 0 ]; then
	expect_store "$DISK/store" 2
else
	[ "$status" = 73 ] || fail "exit $status, not 73"
	expect_line "$dir/begun.err" "$follower" 'No space left'
	expect_as_it_was
	rm "$DISK/ballast"
	start_transfer --quiet >"$dir/out" || fail 'cannot transfer with room again'
	expect_store "$DISK/store" 2
fi
stop_node follower
stop_node leader
