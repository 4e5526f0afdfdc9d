#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Cables are pulled while a follower of a real Raft group receives a snapshot: its own, then
# its leader's. Both come back, and all replicas hold the same keys.
#
# Needs root: the servers live in network namespaces on a bridge.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=$(realpath "${1:?usage: cluster_cut.sh build/snapline}")
kv=$(dirname "$snapline")/snapline-kv
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=kv.sh
. "$here/kv.sh"
# shellcheck source=bridge.sh
. "$here/bridge.sh"
make_bridge 3 || skip 'needs root and network namespaces'

# The log kept for a follower is let go soon: the stories cut it beyond the next one.
kv_options=(--snapshot-threshold 100 --snapshot-trailing 20 --set pin-log-linger-s=1)

cut() { # ID
	ip -n "$ns-hub" link set "eth0$1" down
	ip -n "$ns-hub" link set "data$1" down
}
heal() { # ID
	ip -n "$ns-hub" link set "eth0$1" up
	ip -n "$ns-hub" link set "data$1" up
}
is_elected() { # whoever leads is not this one
	find_leader && [ "$leader" != "$1" ]
}
story() { # TEXT
	echo "$SECONDS s: $*"
}

found_cluster 3
fill 0 8000 4 first
expect_equal 1 2 3

story 'a follower is cut off in mid-transfer for longer than anybody waits'
cut_log
one=$(follower 1)
kill_server "$one"
wipe_server "$one"
freeze_in_transfer "$one" 20 --join
cut "$one"
kill -CONT "${server[$one]}"
sleep 4 # the stall timeout is 2 s
fill 8000 8010 1 meanwhile # the others are a quorum
heal "$one"
expect_equal 1 2 3
expect_installed "$one"

story 'the leader is cut off in mid-transfer: another is elected, and finishes it'
kill_server "$one"
fill 0 8000 4 second
cut_log
cut_log # beyond what libraft still has in its send queue
old=$leader
freeze_in_transfer "$one" 20
cut "$old"
kill -CONT "${server[$one]}"
wait_for 60 is_elected "$old" || explain 'no other leader is elected'
fill 8010 8020 1 meanwhile
heal "$old"
expect_equal 1 2 3
expect_installed "$one"

story 'done'
