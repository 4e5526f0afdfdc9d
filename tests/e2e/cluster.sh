#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Followers of a real Raft group catch up by snapshots over the data plane: wiped, behind,
# killed, frozen, under writes. Each story ends with the question whether all replicas hold
# the same keys.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=${1:?usage: cluster.sh build/snapline}
kv=$(dirname "$snapline")/snapline-kv
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=kv.sh
. "$here/kv.sh"
become_user "$0" "$(dirname "$snapline")"

# The log kept for a follower is let go soon: the stories cut it beyond the next one.
kv_options=(--snapshot-threshold 100 --snapshot-trailing 20 --set pin-log-linger-s=1)
story() { # TEXT
	echo "$SECONDS s: $*"
}

found_cluster 3
fill 0 8000 4 first
expect_equal 1 2 3

story 'a follower that was wiped gets everything back'
cut_log
one=$(follower 1)
stop_server "$one"
wipe_server "$one"
start_server "$one" --join
expect_equal 1 2 3
expect_installed "$one"

story 'a follower that missed a snapshot gets the new one, and only what has changed'
stop_server "$one"
fill 8000 8010 1 more
cut_log
cut_log # beyond what libraft still has in its send queue
start_server "$one"
expect_equal 1 2 3
expect_installed "$one"

for percent in 0 50 85; do
	story "a follower killed past $percent % catches up, with what it has where that is much"
	kill_server "$one"
	wipe_server "$one"
	freeze_in_transfer "$one" "$percent" --join
	kill_server "$one"
	start_server "$one" --join
	expect_equal 1 2 3
	[ "$percent" != 85 ] || expect_resumed "$one"
done

story 'a follower frozen in mid-transfer, until its leader has given it up'
kill_server "$one"
wipe_server "$one"
freeze_in_transfer "$one" 20 --join
sleep 3 # the stall timeout is 2 s
thaw "$one"
expect_equal 1 2 3

story 'new snapshots every moment under writes, while one is on its way'
kill_server "$one"
wipe_server "$one"
freeze_in_transfer "$one" 20 --join
before=$(info "$leader" snapshot_index)
background "$dir/writes" timeout 4 redis-benchmark -h 127.0.0.1 -p "${port[$leader]}" -t set \
	-n 1000000 -r 5000 -d 200 -c 8 -q
writer=$!
wait_for 30 has_saved_since "$before" || explain 'no new snapshot under writes'
thaw "$one"
wait "$writer" || true
expect_equal 1 2 3
expect_installed "$one"

story 'done'
