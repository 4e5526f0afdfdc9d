# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# A cluster of snapline-kv servers, for the stories about real Raft. Sourced after lib.sh,
# with $kv (the program), $snapline and $here set. The caller may set kv_options=(OPTION...),
# given to every server.
#
#   1 ── $dir/memif12.sock ── 2      every pair of servers has a device of its own, with a
#   └──── memif13 ──── 3 ──────┘     subnet of its own: 10.12.0.0/24, 10.13.0.0/24, …
#
# shellcheck disable=SC2154 # what the caller sets
kv_options=()
members=()
path=dpdk # or tcp: no devices
# A server on the loopback unless bridge.sh has put it elsewhere; what runs a client there.
declare -A port=() server=() host=() namespace=()
clients=()

# Root starts the script again as nobody: none of this needs privileges.
become_user() { # SCRIPT BUILD
	[ "$(id -u)" = 0 ] || return 0
	install -m 755 "$2/snapline" "$2/snapline-kv" "$1" "$here/lib.sh" "$here/kv.sh" "$dir"
	chown -R 65534:65534 "$dir"
	local status=0
	as_user env TMPDIR="$dir" HOME=/nonexistent SEED="${SEED:-}" STORIES="${STORIES:-}" \
		"$dir/$(basename "$1")" "$dir/snapline" || status=$?
	exit "$status"
}

# Servers 1 to N get addresses with three free ports each: clients, libraft, Snapline.
choose_ports() { # N
	local id base i
	for ((id = 1; id <= $1; id++)); do
		base=0
		until [ "$base" != 0 ]; do
			base=$((20000 + RANDOM % 4000 * 3))
			for i in 0 1 2; do
				! (exec 3<>"/dev/tcp/127.0.0.1/$((base + i))") 2>/dev/null || base=0
			done
			[[ " ${port[*]} " != *" $base "* ]] || base=0
		done
		port[$id]=$base
	done
}

# The --dev and --ip of one server, one pair for each other server.
devices=()
set_devices() { # ID
	local other low high role n=0
	devices=()
	[ "$path" = dpdk ] || return 0
	if [ -n "${namespace[$1]:-}" ]; then
		devices=(--dev "net_af_packet0,iface=data" --ip "10.89.0.$1/24")
		return 0
	fi
	for other in "${!port[@]}"; do
		[ "$other" != "$1" ] || continue
		low=$(($1 < other ? $1 : other)) high=$(($1 < other ? other : $1))
		role=server
		[ "$1" = "$low" ] || role=client
		devices+=(--dev "net_memif$n,role=$role,id=0,socket=$dir/memif$low$high.sock,socket-abstract=no"
			--ip "10.$low$high.0.$1/24")
		n=$((n + 1))
	done
}

# Starts a server, and start_server waits until it answers. Its process is ${server[ID]}, its log
# $dir/ID.log, everything else of it $dir/ID.
address() { # ID
	echo "${host[$1]:-127.0.0.1}:${port[$1]}"
}
launch_server() { # ID OPTION...
	local id=$1 log="$dir/$1.log" place=()
	[ -z "${namespace[$id]:-}" ] || place=(ip netns exec "${namespace[$id]}")
	shift
	set_devices "$id"
	: >"$log"
	"${place[@]}" "$kv" --id "$id" --dir "$dir/$id" --address "$(address "$id")" \
		--admin "$dir/$id.sock" --buffers 8 --stall-timeout 2s "${devices[@]}" \
		"${kv_options[@]}" "$@" </dev/null >>"$log" 2>&1 &
	server[$id]=$!
	pids+=("$!")
}
start_server() { # ID OPTION...
	local id=$1
	launch_server "$@"
	wait_for 60 answers_or_ended "$id" || explain "server $id does not answer"
	is_running "${server[$id]}" || explain "server $id ended"
}
answers_or_ended() { # ID
	cli "$1" ping || is_gone "${server[$1]}"
}
found_cluster() { # N
	local id
	[ ${#port[@]} -ge "$1" ] || choose_ports "$1"
	for ((id = 1; id <= $1; id++)); do
		members+=(--member "$id=$(address "$id")")
	done
	for ((id = 1; id <= $1; id++)); do
		start_server "$id" "${members[@]}"
	done
	wait_for 30 find_leader || explain 'no leader'
}
kill_server() { # ID
	kill -KILL "${server[$1]}"
	wait "${server[$1]}" 2>/dev/null || true
}
stop_server() { # ID
	stop "${server[$1]}" 20 || explain "server $1 did not exit 0 within 20 s: $?"
}
wipe_server() { # ID
	rm -rf "${dir:?}/$1"
}

explain() { # TEXT...: the end of every log, then the end
	local log
	for log in "$dir"/[0-9]*.log; do
		tail -n 30 "$log" | sed "s/^/   $(basename "$log"): /" >&2
	done
	fail "$*"
}

# redis-cli waits for ever for a frozen server.
cli() { # ID WORD...
	local id=$1
	shift
	"${clients[@]}" timeout 10 redis-cli -h "${host[$id]:-127.0.0.1}" -p "${port[$id]}" "$@" \
		</dev/null
}
info() { # ID FIELD
	cli "$1" info | tr -d '\r' | sed -n "s/^$2://p"
}

is_awake() { # PID: neither ended nor frozen
	grep -q '^State:[^ZT]*$' <(sed 's/(.*//' "/proc/$1/status" 2>/dev/null)
}
# Sets $leader to the server that most say leads, itself among them.
find_leader() {
	local id
	for id in "${!server[@]}"; do
		is_awake "${server[$id]}" && [ "$(info "$id" role)" = leader ] &&
			leader=$id && return 0
	done
	return 1
}
need_leader() {
	wait_for 60 find_leader || explain 'no leader is elected'
	find_leader
}
follower() { # N: the N-th server that does not lead
	local id
	for id in $(printf '%s\n' "${!server[@]}" | sort -n); do
		[ "$id" != "$leader" ] || continue
		[ "$1" != 1 ] || { echo "$id" && return; }
		set -- $(($1 - 1))
	done
}

# Writes keys FROM to TO-1 with values of so many KiB, which hold the text: some megabytes at a
# time, so that heartbeats come through, and those again whose leader was replaced meanwhile.
fill() { # FROM TO KIB TEXT
	local from to tries=0 step=$((8000 / $3))
	for ((from = $1; from < $2; from = to)); do
		to=$((from + step < $2 ? from + step : $2))
		need_leader
		until try_fill "$from" "$to" "$3" "$4"; do
			[ "$((tries += 1))" -lt 10 ] || explain "cannot write: $(tail -n 3 "$dir/pipe")"
			need_leader
		done
	done
}
try_fill() { # FROM TO KIB TEXT
	awk -v from="$1" -v to="$2" -v kib="$3" -v text="$4" 'BEGIN {
		srand(from)
		for (i = from; i < to; i++) {
			value = sprintf("%s:%d:%f", text, i, rand())
			while (length(value) < kib * 1000)
				value = value value
			printf "SET key:%d %s\r\n", i, substr(value, 1, kib * 1000)
		}
	}' | "${clients[@]}" timeout 120 redis-cli -h "${host[$leader]:-127.0.0.1}" \
		-p "${port[$leader]}" --pipe >"$dir/pipe" 2>&1
}

# Every one of these servers has applied what the others have, and holds the same keys.
are_equal() { # ID...
	local id digest first=''
	for id; do
		digest=$(info "$id" digest)
		[ -n "$digest" ] || return 1
		: "${first:=$digest}"
		[ "$digest" = "$first" ] || return 1
	done
}
expect_equal() { # ID...
	local id
	wait_for 60 are_equal "$@" && return
	for id; do
		echo "   $id: $(info "$id" digest) $(info "$id" role) $(info "$id" snapshot_state)" >&2
	done
	explain 'the servers do not hold the same keys'
}

# How many snapshots a server has taken over since it was started.
installs() { # ID
	info "$1" installs
}
expect_installed() { # ID
	[ "$(installs "$1")" -ge 1 ] || explain "server $1 caught up without a snapshot"
	[ "$path" = tcp ] || tail -n 40 "$dir/$1.log" | grep -q 'install event=done.*path=dpdk' ||
		explain "server $1 did not take the data plane"
}
has_no_offers() {
	[ "$(info "$leader" offers)" = 0 ]
}
# Saves until the log of the leader begins behind where it is now.
cut_log() {
	local last
	need_leader
	last=$(info "$leader" log_last_index)
	wait_for 60 moves_on "$last" || explain 'the leader does not save'
}
has_saved_since() { # INDEX
	[ "$(info "$leader" snapshot_index)" -gt "$1" ]
}
moves_on() { # INDEX
	local i
	find_leader || return
	[ "$(info "$leader" log_first_index)" -gt "$1" ] && return
	for i in {1..40}; do
		echo "SET tick $i$RANDOM"
	done | "${clients[@]}" timeout 10 redis-cli -h "${host[$leader]:-127.0.0.1}" \
		-p "${port[$leader]}" >/dev/null
	return 1
}

set_rate() { # RATE: of all that the leader sends
	local device
	set_devices "$leader"
	for ((device = 0; device < ${#devices[@]} / 4; device++)); do
		"$snapline" queue set-rate "$device" "$1" --admin "$dir/$leader.sock" >"$dir/out" 2>&1 ||
			explain "no rate: $(cat "$dir/out")"
	done
}
# Sets stage, and all and come, in bytes, of the leader's newest transfer.
look() {
	"$snapline" transfer list --admin "$dir/$leader.sock" --json >"$dir/list" 2>&1 &&
		read -r stage all come < <(jq -r '.[0] // {"stage": "none"} |
			"\(.stage) \(.bytes // 0) \(.bytes_done // 0)"' "$dir/list")
}
# Starts a server and returns when so many thousandths of its snapshot have come, or a little
# more. The leader is made to send ever more slowly: what is missing in half a second, or in
# the time of four looks at it; but not all in less than two, or what waits on the way would
# come in a heap, and at least so many thousandths in a second. So no machine is too fast,
# and none too slow; when it was missed all the same, it is tried again.
catch_in_transfer() { # ID THOUSANDTHS STEP OPTION...
	local id=$1 thousandths=$2 step=$3 deadline=$((SECONDS + 120))
	local stage='' all=0 come=0 missing=1 began ms rate
	shift 3
	begin_slowly "$id" "$@"
	until [ "$stage" = wire ] && [ "$come" -gt 0 ] && [ "$missing" -le 0 ]; do
		[ "$SECONDS" -lt "$deadline" ] || explain "server $id is never in mid-transfer"
		is_running "${server[$id]}" || explain "server $id ended"
		began=$(now_ms)
		look || explain "the leader does not answer: $(cat "$dir/list")"
		missing=$((all * thousandths / 1000 - come))
		if grep -q 'raft event=install ' "$dir/$id.log" ||
			[ "$stage $come" = "wire $all" ]; then
			kill_server "$id"
			wipe_server "$id"
			begin_slowly "$id" "$@"
			stage=''
		elif [ "$stage" = wire ] && [ "$missing" -gt 0 ]; then
			ms=$((($(now_ms) - began) * 4))
			rate=$((missing * 1000 / (ms > 500 ? ms : 500)))
			rate=$((rate > all / 2 ? all / 2 : rate))
			rate=$((rate * 1000 < all * step ? all * step / 1000 : rate))
			set_rate $((rate * 8))bit
		fi
	done
}
now_ms() {
	date +%s%3N
}
begin_slowly() { # ID OPTION...
	set_rate 2Mbit
	launch_server "$@"
}
freeze_in_transfer() { # ID PERCENT OPTION...
	local id=$1 percent=$2
	catch_in_transfer "$id" $((percent * 10)) 200 "${@:3}"
	kill -STOP "${server[$id]}"
	set_rate unlimited
}
kill_in_transfer() { # ID THOUSANDTHS OPTION...
	catch_in_transfer "$1" "$2" 20 "${@:3}"
	kill_server "$1"
	set_rate unlimited
}
thaw() { # ID
	kill -CONT "${server[$1]}"
	wait_for 60 answers_or_ended "$1" || explain "server $1 does not answer"
}
# The last install of a server did not begin anew. What was on its way to the disk when a
# process was killed may be lost.
expect_resumed() { # ID
	local line
	line=$(grep 'install event=done' "$dir/$1.log" | tail -n 1)
	[[ $line = *' reused='[1-9]* ]] ||
		explain "server $1 did not go on where it was: $line"
}
