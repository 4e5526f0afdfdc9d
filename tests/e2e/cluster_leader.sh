#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Leaders of a real Raft group come and go, and so do members, while a follower catches up.
# Each story ends with the question whether all replicas hold the same keys.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=${1:?usage: cluster_leader.sh build/snapline}
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

# A follower in mid-transfer, frozen: $behind. The third server: $other. All replicas have
# saved at the same index. The follower knows the members, as one that is far behind does:
# libraft lets a server that knows none give no vote. Up to half of the bytes may be on the
# wire when the leader ends: so it ends early.
set_scene() {
	need_leader
	behind=$(follower 1)
	other=$(follower 2)
	kill_server "$behind"
	wipe_server "$behind"
	wait_for 20 have_same_snapshot "$leader" "$other" ||
		explain 'the replicas do not save at the same index'
	freeze_in_transfer "$behind" 5 "${members[@]}"
}
have_same_snapshot() { # ID ID
	[ "$(info "$1" store_index)" = "$(info "$2" store_index)" ]
}
# It took over what came from the old leader, and the rest is the new one's.
expect_continued() { # ID FROM
	expect_resumed "$1"
	grep 'install event=done' "$dir/$1.log" | tail -n 1 |
		grep -qF "from=127.0.0.1:$((port[$2] + 2)) " ||
		explain "server $1 did not continue with server $2"
}

choose_ports 4
found_cluster 3
fill 0 8000 4 first
expect_equal 1 2 3
cut_log

story 'the leader is killed in mid-transfer: the new one continues'
set_scene
old=$leader
kill_server "$old"
thaw "$behind"
need_leader
expect_equal "$behind" "$other"
expect_continued "$behind" "$other"
start_server "$old"
expect_equal 1 2 3

story 'the leader hands over in mid-transfer'
set_scene
old=$leader
thaw "$behind"
expect 0 OK cli "$old" snapline transfer "$other"
expect_equal 1 2 3
need_leader

story 'the leader is cut off in mid-transfer, and comes back'
set_scene
old=$leader
kill -STOP "${server[$old]}"
thaw "$behind"
need_leader
expect_equal "$behind" "$other"
fill 9000 9001 1 meanwhile
thaw "$old"
expect_equal 1 2 3

story 'two followers at once, one of them new, and members change meanwhile'
set_scene
launch_server 4 --join
expect 0 OK cli "$leader" snapline add 4 "127.0.0.1:${port[4]}"
wait_for 60 answers_or_ended 4
thaw "$behind"
expect_equal 1 2 3 4
expect_installed 4
expect 0 OK cli "$leader" snapline promote 4
expect_equal 1 2 3 4

story 'a member is removed in mid-transfer'
kill_server 4
wipe_server 4
freeze_in_transfer 4 20 --join
expect 0 OK cli "$leader" snapline remove 4
wait_for 20 has_no_offers || explain 'the leader keeps a snapshot for a server that left'
kill_server 4
unset 'server[4]'
expect_equal 1 2 3

story 'a crash between the two commits: the store is ahead of the log'
one=$(follower 1)
stop_server "$one"
cp -r "$dir/$one/log" "$dir/log-before"
start_server "$one"
fill 9001 9010 1 ahead
cut_log
expect_equal 1 2 3
stop_server "$one"
rm -rf "${dir:?}/$one/log"
mv "$dir/log-before" "$dir/$one/log"
start_server "$one"
expect_equal 1 2 3

story 'done'
