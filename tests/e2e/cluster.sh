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
background "$dir/writes" redis-benchmark -h 127.0.0.1 -p "${port[$leader]}" -t set \
	-n 100000000 -r 5000 -d 200 -c 8 -q
writer=$!
wait_for 30 has_saved_since "$before" || explain 'no new snapshot under writes'
thaw "$one"
sleep 1 # it is to take over what is written meanwhile, too
kill "$writer"
wait "$writer" 2>/dev/null || true
expect_equal 1 2 3
expect_installed "$one"

# By what the leader knows of the server it has just lost: at so many thousandths or more,
# and at less than so many. Sets come, in bytes.
expect_lost_at() { # FROM TO
	local stage all
	is_lost() {
		look && [ "$stage" = failed ]
	}
	wait_for 30 is_lost || explain "the leader does not miss the follower: $(cat "$dir/list")"
	echo "   $come of $all bytes had come"
	if [ $((come * 1000)) -lt $((all * $1)) ] || [ $((come * 1000)) -ge $((all * $2)) ]; then
		explain "killed at $come of $all bytes"
	fi
	[ -z "$(ls -d "$dir/$one"/store/snapshot_* 2>/dev/null)" ] || explain 'a half is committed'
}
# The bytes in chunks that a dead server's journal tells of; each file's last may be shorter.
recorded() { # ID
	od -An -v -tu4 --endian=big -j 136 -w24 "$dir/$1/store/temp/__snapline_journal" |
		awk 'NF == 6 { for (i = 0; i < $4; i++) seen[$3 + i] }
			END { print length(seen) * 1048576 }'
}
# What it has recorded is not sent again; nor is more than its buffers held.
expect_continued() { # ID RECORDED
	local line reused files
	line=$(grep 'install event=done' "$dir/$1.log" | tail -n 1)
	reused=${line##* reused=}
	reused=${reused%% *}
	files=${line##* files=}
	files=${files%% *}
	echo "   $(($2 >> 20)) MiB were recorded, $reused bytes reused"
	if [ "$2" -gt 0 ] && [ "$reused" = 0 ] ||
		[ "$reused" -le $(($2 - files * 1048576)) ] ||
		[ "$reused" -lt $((come - (8 << 20))) ]; then
		explain "what had come is sent again: $line"
	fi
}

# A hundred chunks, so that one of them is less than a hundredth.
fill 8000 27000 4 bulk
expect_equal 1 2 3
cut_log
for killed in '1 5 50' '50 490 550' '99 985 1000'; do
	read -r percent from to <<<"$killed"
	story "a follower killed at $percent % catches up, with what it has"
	kill_server "$one"
	wipe_server "$one"
	kill_in_transfer "$one" "$from" --join
	expect_lost_at "$from" "$to"
	had=$(recorded "$one")
	start_server "$one" --join
	expect_equal 1 2 3
	expect_continued "$one" "$had"
done

story 'done'
