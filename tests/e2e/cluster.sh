#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Three servers of a key-value store, real Raft between them, snapshots over the data plane.
# Each story ends with the question whether all replicas hold the same keys.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=${1:?usage: cluster.sh build/snapline}
kv=$(dirname "$snapline")/snapline-kv
. "$here/lib.sh"
. "$here/kv.sh"
become_user "$0" "$(dirname "$snapline")"

kv_options=(--snapshot-threshold 100 --snapshot-trailing 20)
story() { # TEXT
	echo "$SECONDS s: $*"
}

found_cluster 3
fill 0 8000 4 first
expect_equal 1 2 3

story 'a follower that was wiped gets everything back'
cut_log
wiped=$(follower 1)
stop_server "$wiped"
wipe_server "$wiped"
start_server "$wiped" --join
expect_equal 1 2 3
expect_installed "$wiped"

story 'done'
