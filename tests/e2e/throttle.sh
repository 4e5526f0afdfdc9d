#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# An operator limits what a node sends: a queue, a port, one transfer, at either end, and
# by counters the wire shows it. Rates are measured between two looks at the counters,
# each with the time it was taken at, so that a slow script changes nothing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=$(realpath "${1:?usage: throttle.sh SNAPLINE}")
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=nodes.sh
. "$here/nodes.sh"
become_user "$0"
choose_addresses leader follower

mbit=1000000
[ "$(df --output=avail -B 1M "$dir" | tail -n 1)" -ge 1536 ] ||
	skip "needs 1.5 GiB in $(dirname "$dir"): set TMPDIR to a larger place"
mkdir "$dir/from"
make_data "$dir/from/large" 400
"$snapline" snapshot create --store "$dir/leader" --index 2 --term 1 "$dir/from" >"$dir/out"
rm "$dir/from/large"

queues() { # ARGUMENT...
	"$snapline" queue "$@" --admin "$dir/leader.sock" --json
}
# The first queue's bytes on the wire, and when they were counted.
look() {
	queues list | jq -r '.[0] | "\(.bytes) \(.read_at_ns)"'
}
# Sets rate_bps and span_us: over that many seconds.
measure() { # SECONDS
	local before after
	read -r -a before < <(look)
	sleep "$1"
	read -r -a after < <(look)
	span_us=$(((after[1] - before[1]) / 1000))
	rate_bps=$(((after[0] - before[0]) * 8 * 1000000 / span_us))
}
# Never more than 2 % above, burst included. A machine that is busy with other things gives
# the worker its time late, and what a burst does not make up for is lost: more than 2 %
# below is reported, and a failure only below a quarter.
expect_rate() { # BPS WHAT
	local want=$1
	measure 1
	echo "$2: $((rate_bps / 1000)) kbit/s of $((want / 1000)) over $span_us us"
	[ "$rate_bps" -le $((want * 102 / 100)) ] || fail "$2: $rate_bps b/s is too fast"
	[ "$rate_bps" -ge $((want * 98 / 100)) ] || echo "   (slow: a busy machine?)"
	[ "$rate_bps" -ge $((want / 4)) ] || fail "$2: $rate_bps b/s is too slow"
}
begin_pull() { # ARGUMENT...
	rm -rf "$dir/pulled"
	(via='exec' && pull "$dir/pulled" --quiet "$@") </dev/null >"$dir/pull.out" 2>&1 &
	puller=$!
	pids+=("$puller")
	wait_for 10 is_moving leader 0 || fail "nothing moves: $(cat "$dir/pull.out")"
}
end_pull() {
	kill -TERM "$puller"
	wait "$puller" || true
	wait_for 15 has_no_transfer || fail 'the leader still serves it'
}
has_no_transfer() {
	"$snapline" transfer list --admin "$dir/leader.sock" --json |
		jq -e 'all(.stage == "failed" or .stage == "done")' >"$dir/jq"
}

start_node leader "$leader" --dev "$(memif 1 server)" --ip 10.78.0.1/24

# ---- a queue, from the first packet on
queues set-rate 0:0 100Mbit >"$dir/out"
jq -e '.[0].limit_bps == 100000000 and .[0].burst == 65536 and
	.[0].mechanism == "software" and .[0].port_limit_bps == null' "$dir/out" >"$dir/jq" ||
	fail "set-rate answers $(cat "$dir/out")"
begin_pull
sleep 0.1
expect_rate $((100 * mbit)) 'a queue at 100 Mbit/s'
queues list | jq -e '.[0] | .backlog > 0 and .throttled_seconds > 0.5 and
	.rate_bps > 20000000 and .rate_bps < 110000000' >"$dir/jq" ||
	fail "the list says $(queues list)"

# ---- it holds at once: what goes out in the first second of the new rate and the 50 ms
# that it may take to get there
for step in '20 200' '200 20' '1000 100'; do
	read -r from to <<<"$step"
	queues set-rate 0:0 "${from}Mbit" >"$dir/out"
	sleep 0.2
	queues set-rate 0:0 "${to}Mbit" >"$dir/out"
	measure 1
	late=$((rate_bps * (span_us / 1000) / mbit - to * (span_us / 1000)))
	echo "from $from to $to Mbit/s: $late kbit beside it in $span_us us"
	[ "$late" -le $((to * 20 + 1100)) ] || fail "from $from to $to Mbit/s comes too late"
	[ "$to" -lt "$from" ] || [ "$rate_bps" -ge $((to * mbit / 4)) ] ||
		fail "from $from to $to Mbit/s: $rate_bps b/s"
done

# ---- paused, everybody waits beyond the stall timeout of 2 s
queues set-rate 0:0 0 >"$dir/out"
sleep 0.2
measure 2.5
[ "$rate_bps" -lt 100000 ] || fail "paused, and $rate_bps b/s go out"
is_running "$puller" || fail "the pull does not wait: $(cat "$dir/pull.out")"

# ---- the port, with more burst: a busy machine catches up
queues set-rate 0:0 unlimited >"$dir/out"
queues set-rate 0 1Gbit --burst 1MiB >"$dir/out"
jq -e 'length == 1 and .[0].limit_bps == null and .[0].port_limit_bps == 1000000000' \
	"$dir/out" >"$dir/jq" || fail "set-rate answers $(cat "$dir/out")"
expect_rate $((1000 * mbit)) 'a port at 1 Gbit/s'

# ---- one transfer; the tightest limit holds
id=$("$snapline" transfer list --admin "$dir/leader.sock" --json | jq '.[0].id')
throttle() { # [RATE] ARGUMENT...
	"$snapline" transfer throttle "$id" "$@" --admin "$dir/leader.sock"
}
# The newest transfer of the leader has this class and weight.
expect_rank() { # CLASS WEIGHT
	"$snapline" transfer list --admin "$dir/leader.sock" --json >"$dir/list.json"
	jq -e --arg class "$1" --argjson weight "$2" \
		'.[0] | .class == $class and .weight == $weight' "$dir/list.json" >"$dir/jq" ||
		fail "not $1, weight $2: $(cat "$dir/list.json")"
}
throttle 50Mbit | grep -q "^transfer $id is limited: " || fail 'throttle does not answer'
sleep 0.1
expect_rate $((50 * mbit)) 'a transfer at 50 Mbit/s'

# ---- before or behind others: one alone goes as fast as ever (veth.sh has two)
expect_rank recovery 10
throttle --class rebalance --json | jq -e '.class == "rebalance" and .weight == 10' >"$dir/jq" ||
	fail 'throttle does not tell the rank'
expect 0 'has another rank' throttle --weight 3
expect 0 'rebalance, weight 3' "$snapline" transfer list --admin "$dir/leader.sock"
throttle unlimited --json >"$dir/out"
expect_rank rebalance 3 # a rate alone leaves it
expect_error 64 '--class takes one of recovery, rebalance' -- throttle --class urgent
expect_error 64 '--weight takes a number from 1 to 100' -- throttle --weight 101
expect_error 64 '--weight takes a number from 1 to 100' -- throttle 1Gbit --weight 0
expect_error 64 'changes nothing: give a RATE, --class or --weight' -- throttle
queues set-rate 0 unlimited >"$dir/out"
wait_for 60 is_gone "$puller" || fail 'it does not go on'
wait "$puller" || fail "pull: $(cat "$dir/pull.out")"
expect_store "$dir/pulled" 2
queues list | jq -e '.[0].drops == 0' >"$dir/jq" || fail "drops: $(queues list)"

# ---- the follower's own limit, which the leader heeds
begin_pull --rate 80Mbit --class rebalance --weight 7
expect_rank rebalance 7 # as who pulls has asked
sleep 0.1
expect_rate $((80 * mbit)) 'a pull at 80 Mbit/s'
end_pull

# ---- or says only that others shall not mind: then the leader's queue finds out
begin_pull --rate auto
is_auto() {
	queues list | jq -s -e '.[0][0].auto and .[0][0].limit_bps >= 10000000' >"$dir/jq"
}
wait_for 10 is_auto || fail "a pull with --rate auto: $(queues list)"
"$snapline" queue list --admin "$dir/leader.sock" | grep -q ' auto (.*b/s) ' ||
	fail 'the list does not say auto'
end_pull
is_plain() {
	queues list | jq -s -e '.[0][0].auto | not' >"$dir/jq"
}
wait_for 10 is_plain || fail "auto outlives who asked for it: $(queues list)"
queues set-rate 0 auto --auto-latency 2ms | jq -e '.[0].auto' >"$dir/jq" ||
	fail 'set-rate auto does not'
queues set-rate 0 unlimited >"$dir/out"
wait_for 10 is_plain || fail "auto does not end: $(queues list)"

# ---- people read it, too
"$snapline" queue list --admin "$dir/leader.sock" >"$dir/out"
cat "$dir/out"
grep -q '^PORT  QUEUE .* MECHANISM .* THROTTLED ' "$dir/out" || fail 'the list has no head'
"$snapline" queue list --watch --admin "$dir/leader.sock" >"$dir/watch" &
watcher=$!
pids+=("$watcher")
has_two_looks() {
	[ "$(grep -c '^PORT' "$dir/watch")" -ge 2 ]
}
wait_for 10 has_two_looks || fail '--watch looks once only'
kill "$watcher"
wait "$watcher" || true

# ---- what makes no sense
bad() { # CODE TEXT ARGUMENT...: of snapline queue set-rate
	local code=$1 text=$2
	shift 2
	expect_error "$code" "$text" -- \
		"$snapline" queue set-rate "$@" --admin "$dir/leader.sock"
}
bad 64 '1Mbit to 400Gbit' 0:0 1Kbit
bad 64 '1Mbit to 400Gbit' 0:0 500Gbit
bad 64 "'fast' is no rate" 0:0 fast
bad 64 "'0:' is no queue" 0: 1Gbit
bad 64 "'x' is no queue" x 1Gbit
bad 64 '--burst takes a size' 0:0 1Gbit --burst 1KiB
bad 66 'no queue 0:7' 0:7 1Gbit
bad 66 'no port 3' 3 1Gbit
expect_error 66 'no transfer 99' -- "$snapline" transfer throttle 99 1Gbit --admin "$dir/leader.sock"
expect_error 66 "transfer $id has ended" -- throttle 1Gbit
expect_error 64 '--rate takes auto, unlimited, or a rate from 1Mbit' -- pull "$dir/pulled" --rate 0
stop_node leader

# ---- from the command line, and where there is no device
start_node leader "$leader" --dev "$(memif 1 server)" --ip 10.78.0.1/24 --rate 200Mbit \
	--disk-rate 150Mbit
queues list | jq -e '.[0].port_limit_bps == 200000000' >"$dir/jq" || fail '--rate is ignored'
begin_pull
sleep 2 # what was read ahead has gone
measure 1
echo "a disk at 150 Mbit/s: $((rate_bps / 1000)) kbit/s over $span_us us"
[ "$rate_bps" -le $((165 * mbit)) ] || fail "the disk's limit: $rate_bps b/s"
[ "$rate_bps" -ge $((30 * mbit)) ] || fail "the disk's limit: $rate_bps b/s"
disk() { # FILTER
	queues list | jq -e ".[] | select(.port == \"disk\") | $1"
}
disk '.limit_bps == 150000000 and .bytes > 0 and .throttled_seconds > 0.5' >"$dir/jq" ||
	fail "the disk's row: $(queues list)"

# ---- the disk's limit is live, too: what was read before it changed may still go out
look() { # of the disk
	disk '"\(.bytes) \(.read_at_ns)"' | tr -d '"'
}
queues set-rate disk 0 >"$dir/out"
jq -e 'length == 1 and .[0].port == "disk" and .[0].limit_bps == 0' "$dir/out" >"$dir/jq" ||
	fail "set-rate disk answers $(cat "$dir/out")"
sleep 0.05
measure 2.5 # beyond the stall timeout
[ "$rate_bps" = 0 ] || fail "the disk is paused, and $rate_bps b/s are read"
is_running "$puller" || fail "the pull does not wait: $(cat "$dir/pull.out")"
"$snapline" queue list --admin "$dir/leader.sock" | grep -q '^disk .* paused ' ||
	fail 'the list does not say that the disk is paused'
queues set-rate disk 60Mbit >"$dir/out"
expect_disk_rate() { # MBIT: two chunks of 1 MiB more than that at most
	measure 1
	echo "a disk at $1 Mbit/s, set live: $((rate_bps / 1000)) kbit/s over $span_us us"
	[ "$rate_bps" -le $((($1 + 17) * mbit)) ] || fail "the disk's new limit: $rate_bps b/s"
	[ "$rate_bps" -ge $(($1 * mbit / 4)) ] || fail "the disk's new limit: $rate_bps b/s"
}
expect_disk_rate 60
bad 64 '1Mbit to 400Gbit' disk 1Kbit
bad 64 'the disk has no rate auto' disk auto
bad 64 '--burst and --auto-latency are for queues' disk 1Gbit --burst 1MiB
disk '.limit_bps == 60000000' >"$dir/jq" || fail "a refused rate holds: $(queues list)"
end_pull
stop_node leader
# ---- two queues, which know nothing of each other, together keep what the port may
start_node leader "$leader" --dev "$(memif 1 server)" --ip 10.78.0.1/24 --queues 2 \
	--rate 100Mbit --burst 512KiB --transfer-class rebalance --transfer-weight 100
begin_pull --queues 2
expect_rank rebalance 100 # nobody has said otherwise
queues list | jq -e '.[0].burst == 524288' >"$dir/jq" || fail "the burst: $(queues list)"
queues list | jq -e 'length == 3 and all(.bytes > 0)' >"$dir/jq" ||
	fail "two queues: $(queues list)"
look() {
	queues list | jq -r '"\(map(select(.port != "disk").bytes) | add) \(.[0].read_at_ns)"'
}
expect_rate $((100 * mbit)) 'two queues of a port at 100 Mbit/s'
end_pull
stop_node leader
# ---- at the follower, whose wish goes to the leader
start_leader
start_follower
start_transfer --detach --class rebalance --weight 20 >"$dir/out"
expect_rank rebalance 20
wait_for 10 is_moving follower 0 || fail "nothing moves: $(cat "$dir/out")"
id=$("$snapline" transfer list --admin "$dir/follower.sock" --json | jq '.[0].id')
expect 0 "transfer $id is limited" "$snapline" transfer throttle "$id" 50Mbit \
	--admin "$dir/follower.sock"
expect_error 64 "class and weight are said at the leader $leader" -- \
	"$snapline" transfer throttle "$id" --weight 1 --admin "$dir/follower.sock"
sleep 0.3 # what had been granted has come
look() {
	queues list | jq -r '.[0] | "\(.bytes) \(.read_at_ns)"'
}
expect_rate $((50 * mbit)) 'a transfer limited at the follower'
"$snapline" transfer cancel "$id" --admin "$dir/follower.sock" >"$dir/out"
stop_node follower
stop_node leader

# ---- over TCP there are other limits, and a pull brings its own
start_node leader "$leader" --snapshot-throttle-rate 8MiB/s
start_node follower "$follower"
start_transfer --detach >"$dir/out"
wait_for 10 is_moving leader 0 || fail "nothing moves over TCP: $(cat "$dir/out")"
for name in leader follower; do
	id=$("$snapline" transfer list --admin "$dir/$name.sock" --json | jq '.[0].id')
	expect_error 69 'goes over TCP' '--snapshot-throttle-rate' -- \
		"$snapline" transfer throttle "$id" 1Gbit --admin "$dir/$name.sock"
done
stop_node follower
stop_node leader
start_node leader "$leader"
expect 0 'the node has no device' "$snapline" queue list --admin "$dir/leader.sock"
bad 66 'no queue 0:0' 0:0 1Gbit
bad 66 'no device' disk 1Gbit
rm -rf "$dir/pulled"
pull "$dir/pulled" --path tcp --rate 1Gbit --json >"$dir/out"
jq -e '.path == "tcp" and .seconds >= 3' "$dir/out" >"$dir/jq" || # 400 MiB are 3.4 s
	fail "a pull over TCP at 1 Gbit/s: $(cat "$dir/out")"
stop_node leader
