# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Snapline's own copies: a node that leads, and pulls from it. Sourced after lib.sh and
# rivals.sh. $leader is the node's address, $leader_pid its process.
#
# shellcheck disable=SC2154 # lib.sh and the caller set them
pulled=$dir/pulled # where a pull's store goes; a row may choose another place

# A store with one snapshot of the directory; its files are $source_dir from then on.
make_leader_store() { # FROM
	rm -rf "$dir/leader"
	"$snapline" snapshot create --store "$dir/leader" --index 7 --term 3 "$1" \
		>"$dir/create" 2>&1 || fail "$(cat "$dir/create")"
	source_dir=$dir/from
	rm -rf "$source_dir"
	cp -r "$dir/leader/snapshot_00000000000000000007" "$source_dir"
	rm "$source_dir/__raft_snapshot_meta"
}

# One pull; its JSON is in $dir/pull.json.
pull_once() { # OPTION...
	rm -rf "$pulled"
	"${client_in[@]}" "$snapline" pull "$leader" --group g --store "$pulled" --json \
		--quiet "$@" >"$dir/pull.json" 2>"$dir/pull.err" ||
		fail "snapline pull: $(cat "$dir/pull.err")"
}

# One pull of a run, as measure_copy does it.
measure_pull() { # RUN CASE SUBJECT BYTES OPTION...
	local run=$1 what=$2 subject=$3 bytes=$4 cpu start seconds
	shift 4
	warm_for "$source_dir"
	cpu=$(calc "$(cpu_of "$leader_pid") + $(cpu_of_shell $$)")
	start=$(now)
	pull_once "$@"
	seconds=$(calc "$(now) - $start")
	cpu=$(calc "$(cpu_of "$leader_pid") + $(cpu_of_shell $$) - $cpu")
	if [ "$run" = 0 ]; then
		diff -r -x __raft_snapshot_meta "$source_dir" \
			"$pulled/snapshot_00000000000000000007" ||
			fail "$subject copied something else"
	else
		record "$what" "$subject" Gb/s \
			"$(gbps "$bytes" "$(jq .seconds "$dir/pull.json")")"
		record "$what" "$subject command" Gb/s "$(gbps "$bytes" "$seconds")"
		record "$what" "$subject CPU" core-s/GiB "$(calc "$cpu * 2^30 / $bytes")"
		record_stages "$what" "$subject" "$bytes"
	fi
	rm -rf "$pulled"
}

# What each stage took, as the command says; and CPU without idle polling, of each end and
# of both.
record_stages() { # CASE SUBJECT BYTES
	local stage seconds
	jq -r --argjson bytes "$3" '.stages_ms // {}
		| . + if .leader_cpu then {busy_cpu: (.leader_cpu + .follower_cpu)} else {} end
		| to_entries[] | "\(.key) \(.value / 1000 * 1073741824 / $bytes)"' \
		"$dir/pull.json" | while read -r stage seconds; do
		case $stage in
		busy_cpu) record "$1" "$2 busy" core-s/GiB "$seconds" ;;
		*_cpu) record "$1" "$2 ${stage%_cpu} busy" core-s/GiB "$seconds" ;;
		*) record "$1" "$2: ${stage/_/ }" s/GiB "$seconds" ;;
		esac
	done
}
