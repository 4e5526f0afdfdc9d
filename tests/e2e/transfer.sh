#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A snapshot's ways from one store to another, between real processes: installed by the
# leader, pulled by hand, asked for twice. What arrives has braft's layout, byte by byte.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=$(realpath "${1:?usage: transfer.sh SNAPLINE}")
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=nodes.sh
. "$here/nodes.sh"
become_user "$0"
choose_addresses leader follower

mkdir -p "$dir/from/a b"
make_data "$dir/from/large" 24
head -c 5000 "$dir/from/large" >"$dir/from/a b/small"
: >"$dir/from/empty"
chmod 640 "$dir/from/large"
create() { # INDEX
	"$snapline" snapshot create --store "$dir/leader" --index "$1" --term 3 \
		--peer "$leader:0" --peer "$follower:0" "$dir/from" >"$dir/out"
}
create 7

start_leader
start_follower
expect 0 'no transfers' "$snapline" transfer list --admin "$dir/leader.sock"
[ "$("$snapline" transfer list --admin "$dir/leader.sock" --json | jq length)" = 0 ]

# ---- installed by the leader
start_transfer >"$dir/out" 2>"$dir/err" || explain follower "install failed: $(cat "$dir/err")"
[ ! -s "$dir/err" ] || fail "a success that is no terminal's says: $(cat "$dir/err")"
grep -Eq '^index 7, term 3: 3 files, 24\.0 MiB in .*, path dpdk, .*, 0 B reused$' \
	"$dir/out" || fail "transfer start says $(cat "$dir/out")"
same() { # STORE INDEX
	local name
	name=$(printf 'snapshot_%020d' "$2")
	diff -r "$dir/leader/$name" "$dir/$1/$name" || fail "$1 differs from the leader"
	[ "$(stat -c %a "$dir/$1/$name/large")" = 640 ] || fail "the mode was lost"
}
same follower 7
grep -Eq 'install event=stages open_ms=[0-9]+ .* bottleneck="[a-z]' "$dir/follower.log" ||
	explain follower 'does not say where the time went'
grep -q 'install event=loaded index=7 ms=' "$dir/follower.log" ||
	explain follower 'does not say that it has loaded'

# ---- braft's layout: a directory named by index, a table behind its own length, no temp
expect_store "$dir/follower" 7
table=$dir/follower/snapshot_00000000000000000007/__raft_snapshot_meta
[ "$((16#$(od -An -tx1 -N4 "$table" | tr -d ' ')))" = "$(($(stat -c %s "$table") - 4))" ] ||
	fail "the table's length prefix is wrong: $(od -An -tx1 -N4 "$table")"
expect 0 '7' "$snapline" snapshot list --store "$dir/follower"
expect 0 'a b/small' "$snapline" snapshot show --store "$dir/follower"
expect 0 'sound' "$snapline" snapshot verify --store "$dir/follower"

# ---- installed again: it is there already, nothing moves
start_transfer --json >"$dir/out" 2>"$dir/err" || fail "again: $(cat "$dir/err")"
jq -e '.index == 7 and .term == 3 and .files == 3 and .bytes_reused == .bytes
	and .bytes_resent == 0' "$dir/out" >"$dir/jq" ||
	fail "transfer start --json says $(cat "$dir/out")"
same follower 7

# ---- a new snapshot on a leader that was away; detached, and looked at later
add() { # INDEX: a running node owns its store
	stop_node leader
	create "$1"
	start_leader
}
add 8
start_transfer --detach --json >"$dir/out"
id=$(jq .id "$dir/out")
done_as() { # NAME ROLE ID
	"$snapline" transfer list --admin "$dir/$1.sock" --json | jq -e --arg role "$2" \
		--argjson id "$3" 'any(.[]; .id == $id and .role == $role and
		.stage == "done" and .index == 8 and .bytes_done == .bytes and
		.path == "dpdk" and .code == 0)'
}
wait_for 20 done_as leader leader "$id" || fail "transfer $id: $("$snapline" transfer list \
	--admin "$dir/leader.sock" --json)"
id=$("$snapline" transfer list --admin "$dir/follower.sock" --json | jq 'map(.id) | max')
done_as follower follower "$id" >"$dir/jq" || fail "the follower does not list its own"
expect 0 "$follower" "$snapline" transfer list --admin "$dir/leader.sock"
same follower 8
expect_store "$dir/follower" 8
add 9
expect 0 'started' start_transfer --detach
has_committed() { # INDEX
	[ -d "$dir/follower/$(printf 'snapshot_%020d' "$1")" ]
}
wait_for 20 has_committed 9 || explain follower 'did not receive what was detached'

# ---- asked for while it is under way: the first goes on
add 10
start_transfer --detach >"$dir/out"
expect_error 75 "$follower" 'already' 'transfer list' -- start_transfer
wait_for 20 has_committed 10 || explain leader 'was interrupted by its second order'

# ---- a second client on a pair that is taken gets nothing, and disturbs nobody
expect_error 75 '10.77.0.1' 'on one network' -- "$snapline" pull "$leader" --group g \
	--store "$dir/other" --dev "$(memif 0 client)" --ip 10.77.0.9/24 --stall-timeout 1s
add 11
start_transfer >"$dir/out" || explain follower 'lost its pair to a second client'

# ---- pulled over the second pair, while the follower's is up
pull "$dir/pulled" >"$dir/out" 2>"$dir/err" || fail "pull: $(cat "$dir/err")"
grep -Eq '^index 11, term 3: 3 files, 24\.0 MiB in .*, path dpdk, ' "$dir/out" ||
	fail "pull says $(cat "$dir/out")"
[ ! -s "$dir/err" ] || fail "pull that succeeds says: $(cat "$dir/err")"
same pulled 11
expect_store "$dir/pulled" 11
pull "$dir/pulled" --json >"$dir/out"
jq -e '.index == 11 and .bytes_reused == .bytes' "$dir/out" >"$dir/jq" ||
	fail "pull --json of what is there says $(cat "$dir/out")"

# ---- a uri nobody handed out, and a group that is not here
expect_error 66 'reader=12345' 'start a new one' -- "$snapline" pull \
	"remote://$leader/12345" --group g --store "$dir/other" \
	--dev "$(memif 1 client)" --ip 10.78.0.2/24
expect_error 66 "group 'h' is not here" "'g'" -- "$snapline" pull "$leader" --group h \
	--store "$dir/other" --dev "$(memif 1 client)" --ip 10.78.0.2/24
expect_kept "$dir/other"

# ---- over the first pair, once the follower has left it, into its store
stop_node follower
add 12
expect 0 'index 12' "$snapline" pull "$leader" --group g --store "$dir/follower" \
	--dev "$(memif 0 client)" --ip 10.77.0.2/24
same follower 12

# ---- a follower that is further than the leader keeps what it has
"$snapline" snapshot create --store "$dir/pulled" --index 99 --term 4 "$dir/from" >"$dir/out"
expect_error 75 'index 12' '99' -- pull "$dir/pulled"
expect_store "$dir/pulled" 99

# ---- idle nodes sleep
ticks() {
	awk '{ print $14 + $15 }' "/proc/${leader_pid:?}/stat"
}
start_follower
sleep 1
before=$(ticks)
sleep 3
used=$(($(ticks) - before))
# 1 % of 3 s at 100 ticks a second is 3; twice that is still idle on a loaded machine
[ "$used" -le 6 ] || fail "an idle leader used $used ticks of CPU in 3 s"
echo "an idle leader with two devices used $used of 300 ticks"

stop_node follower
stop_node leader
