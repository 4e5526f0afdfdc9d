# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# What a limit achieves: a pull that runs, and the leader's device set to one rate after the
# other. Bytes are those of the wire, by the node's own counter and clock, a tenth of a
# second after the change; CPU is the leader's. Sourced after ours.sh.
#
# shellcheck disable=SC2034,SC2154 # the rows use what is set here, and set the rest
seconds=$(quick_or 1 0.5)
runs=$(quick_or 3 1)

queue() { # FILTER
	"$snapline" queue list --admin "$dir/leader.sock" --json | jq -r ".[0] | $1"
}
is_moving_fast() {
	[ "$(queue .bytes)" -gt 20000000 ]
}
# What the hypervisor had for others while this machine wanted to run.
stolen_ticks() {
	awk '/^cpu / { print $9 }' /proc/stat
}
measure_limit() { # CASE RATE BITS
	local before after cpu stolen achieved
	# what comes meanwhile, and as much again for the caches
	warm_memory "$(calc "int($3 * ($seconds + 1) / 8 / 1048576 * 2)")"
	"$snapline" queue set-rate 0 "$2" --admin "$dir/leader.sock" >"$dir/out" ||
		fail "set-rate: $(cat "$dir/out")"
	sleep 0.1
	cpu=$(cpu_of "$leader_pid")
	stolen=$(stolen_ticks)
	read -r -a before < <(queue '"\(.bytes) \(.read_at_ns) \(.throttled_seconds)"')
	sleep "$seconds"
	read -r -a after < <(queue '"\(.bytes) \(.read_at_ns) \(.throttled_seconds) \(.burst)"')
	stolen=$(($(stolen_ticks) - stolen))
	cpu=$(calc "$(cpu_of "$leader_pid") - $cpu")
	is_running "$puller" || fail "$1: the snapshot was too short: $(cat "$dir/pull.log")"
	achieved=$(calc "(${after[0]} - ${before[0]}) * 8 / (${after[1]} - ${before[1]})")
	record "$1" achieved Gb/s "$achieved"
	record "$1" error % "$(calc "($achieved * 1e9 / $3 - 1) * 100")"
	record "$1" burst KiB "$(calc "${after[3]} / 1024")"
	record "$1" 'waits for tokens' '% of the time' \
		"$(calc "(${after[2]} - ${before[2]}) * 1e11 / (${after[1]} - ${before[1]})")"
	record "$1" 'stolen by the host' '% of the cores' \
		"$(calc "$stolen * 1e11 / $(getconf CLK_TCK) / $(nproc) / (${after[1]} - ${before[1]})")"
	record "$1" 'leader CPU' '% of a core' \
		"$(calc "$cpu * 1e11 / (${after[1]} - ${before[1]})")"
}

# The leader is there, limited to 1 Gbit/s; the rest is a pull's options.
measure_limits() { # OPTION...
	background "$dir/pull.log" "${client_in[@]}" "$snapline" pull "$leader" --group g \
		--store "$pulled" --quiet "$@"
	puller=$!
	wait_for 20 is_moving_fast || fail "nothing moves: $(cat "$dir/pull.log")"
	measure_limit '100 Mbit/s' 100Mbit 1e8
	measure_limit '1 Gbit/s' 1Gbit 1e9
	measure_limit '5 Gbit/s' 5Gbit 5e9
	stop "$puller" 10 >"$dir/out" || true
	stop_node leader
	rm -rf "$pulled"
}

need_mib "$(quick_or 5000 2500)"
make_shape "$dir/made" "$(quick_or 32x67108864 12x67108864)"
make_leader_store "$dir/made"
rm -rf "$dir/made" "$source_dir"
