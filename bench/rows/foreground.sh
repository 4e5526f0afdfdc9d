#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What other people's requests suffer on a link of 500 Mbit/s while a snapshot goes over it:
# without a transfer, unlimited, at half the link, and by an automatic rate. A request a
# millisecond by kernel sockets, whose answers share the leader's queue (a token bucket
# filter, 2 MiB) with the snapshot. And over another link at the same time of the same
# load: what these suffer is the CPUs', which all programs here share.
#
#   a: leader, answers ── tbf ── v0 ═══ v1 ── b: follower, requests
#      10.90.0.1   10.91.0.1                  10.90.0.2   10.91.0.2
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../shapes.sh
. "$bench/shapes.sh"
# shellcheck source=../ours.sh
. "$bench/ours.sh"
# shellcheck source=../namespaces.sh
. "$bench/namespaces.sh"
runs=$(quick_or 3 1)
seconds=$(quick_or 4 2)
link=500Mbit

join 1500 v0 v1
ip -n "$ns-a" addr add 10.91.0.1/24 dev v0
ip -n "$ns-b" addr add 10.91.0.2/24 dev v1
tc -n "$ns-a" qdisc add dev v0 root tbf rate "$link" burst 32k limit 2m 2>"$dir/err" ||
	skip "no token bucket filter: $(cat "$dir/err")"
background "$dir/answers.log" "${server_in[@]}" "$build/bench/foreground" serve 10.91.0.1:7
answers=$!
background "$dir/elsewhere.log" "${server_in[@]}" "$build/bench/foreground" serve \
	"${control%:*}:7"
elsewhere=$!

# Requests for so long: p50, p99 and those without an answer.
ask() { # CASE SUBJECT
	local p50 p99 lost
	"${client_in[@]}" "$build/bench/foreground" ask 10.91.0.1:7 "$seconds" >"$dir/asked" ||
		fail "$2: no answers"
	read -r p50 p99 lost <"$dir/asked"
	[ "$run" != 0 ] || return 0
	record "$1" "$2 p50" us "$p50"
	record "$1" "$2 p99" us "$p99"
	record "$1" "$2 unanswered" requests "$lost"
}
ask_elsewhere() { # CASE SUBJECT
	local p50 p99 lost
	"${client_in[@]}" "$build/bench/foreground" ask "${control%:*}:7" "$seconds" \
		>"$dir/asked" || fail "$2: no answers"
	read -r p50 p99 lost <"$dir/asked"
	[ "$run" = 0 ] || record "$1" "$2, another link p99" us "$p99"
}

sent_bytes() { # by the leader's queue, and when
	"$snapline" queue list --admin "$dir/leader.sock" --json |
		jq -r '.[0] | "\(.bytes) \(.read_at_ns)"'
}
is_moving_fast() { # past its start
	[ "$(sent_bytes | cut -d ' ' -f 1)" -gt 20000000 ]
}
measure() { # SUBJECT RATE OPTION...
	local subject=$1 rate=$2 before after puller
	shift 2
	start_leader_in_a "$control" --dev net_af_packet0,iface=v0,qdisc_bypass=0 --ip 10.90.0.1/24 \
		--rate "$rate" "$@"
	background "$dir/pull.log" "${client_in[@]}" "$snapline" pull "$leader" --group g \
		--store "$dir/pulled" --quiet --dev net_af_packet0,iface=v1 --ip 10.90.0.2/24
	puller=$!
	wait_for 20 is_moving_fast || fail "$subject: nothing moves: $(cat "$dir/pull.log")"
	read -r -a before < <(sent_bytes)
	ask "$link" "$subject"
	read -r -a after < <(sent_bytes)
	ask_elsewhere "$link" "$subject"
	is_running "$puller" || fail "$subject: the snapshot was too short"
	[ "$run" = 0 ] || record "$link" "$subject, snapshot" Gb/s \
		"$(calc "(${after[0]} - ${before[0]}) * 8 / (${after[1]} - ${before[1]})")"
	stop "$puller" 10 >/dev/null || true
	stop_node leader
	rm -rf "$dir/pulled"
}

need_mib "$(quick_or 2000 1000)"
make_shape "$dir/made" "$(quick_or 12x67108864 4x67108864)"
make_leader_store "$dir/made"
rm -rf "$dir/made"
for ((run = $(quick_or 0 1); run <= runs; run++)); do # run 0 warms up
	ask "$link" 'no transfer'
	measure 'unlimited' unlimited
	measure 'unlimited, cc fixed' unlimited --cc fixed
	measure 'half the link' 250Mbit --cc fixed
	measure 'auto' auto --cc fixed
done
stop "$elsewhere" 5 >/dev/null || true
stop "$answers" 5 >/dev/null || true
