# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Nodes joined by net_memif, for the scripts that need real processes. Sourced after
# lib.sh, with $snapline and $here set. The caller may set node_options=(OPTION...), given
# to every node.
#
#   leader ── $dir/memif0.sock ── follower (10.77.0.0/24)
#        └─── $dir/memif1.sock ── whoever pulls (10.78.0.0/24)
#
# shellcheck disable=SC2154 # what the caller and choose_addresses set
node_options=()

# Root starts the script again as nobody, from a directory nobody may look into: what is
# tested needs no privilege. Returns when we are an ordinary user.
become_user() { # SCRIPT
	[ "$(id -u)" = 0 ] || return 0
	install -m 755 "$snapline" "$dir/snapline"
	install -m 755 "$1" "$here/lib.sh" "$here/nodes.sh" "$dir"
	chown -R 65534:65534 "$dir"
	local status=0
	as_user env TMPDIR="$dir" HOME=/nonexistent "$dir/$(basename "$1")" \
		"$dir/snapline" || status=$?
	exit "$status"
}

choose_addresses() { # NAME...: sets each to an address nobody listens on
	local name port ports=' '
	for name; do
		port=$(free_port)
		while [[ $ports = *" $port "* ]]; do
			port=$(free_port)
		done
		ports+="$port "
		printf -v "$name" 127.0.0.1:%s "$port"
	done
}

# Fills a file with bytes no two chunks of which are alike, faster than urandom does.
make_data() { # FILE MIB
	local i
	head -c $((8 << 20)) /dev/urandom >"$dir/random"
	for ((i = 0; i < $2; i += 8)); do
		printf '%08d' "$i"
		cat "$dir/random"
	done | head -c $(($2 << 20)) >"$1"
	rm "$dir/random"
}

memif() { # N ROLE: the text of --dev
	echo "net_memif$1,role=$2,id=0,socket=$dir/memif$1.sock,socket-abstract=no"
}

# Starts a node and waits until it answers. Its process is $NAME_pid, its log $NAME.log,
# its store $dir/NAME.
start_node() { # NAME ADDRESS OPTION...
	local name=$1 address=$2 pid
	shift 2
	background "$dir/$name.log" "$snapline" node --store "$dir/$name" \
		--listen "$address" --group g --peer-id "$address:0" \
		--admin "$dir/$name.sock" "$@" "${node_options[@]}"
	pid=$!
	printf -v "${name}_pid" %s "$pid"
	wait_for 60 answers_or_ended "$name" "$pid" || explain "$name" 'does not answer'
	is_running "$pid" || explain "$name" 'ended'
}
start_leader() {
	start_node leader "$leader" --dev "$(memif 0 server)" --ip 10.77.0.1/24 \
		--dev "$(memif 1 server)" --ip 10.78.0.1/24
}
start_follower() {
	start_node follower "$follower" --dev "$(memif 0 client)" --ip 10.77.0.2/24
}
answers_or_ended() { # NAME PID
	"$snapline" transfer list --admin "$dir/$1.sock" || is_gone "$2"
}
explain() { # NAME TEXT: the node's log, then the end
	sed "s/^/   $1: /" "$dir/$1.log" >&2
	fail "$1 $2"
}

# Ends the node, which has to exit 0 within seconds.
stop_node() { # NAME
	local pid=${1}_pid
	stop "${!pid}" 8 || explain "$1" "did not exit 0 within 8 s of SIGTERM: $?"
	wait_for 1 test ! -e "$dir/$1.sock" || fail "$1 left its admin socket behind"
}
kill_node() { # NAME
	local pid=${1}_pid
	kill -KILL "${!pid}"
	wait "${!pid}" 2>/dev/null || true
}

# With via=exec, in a subshell, these become the command: its $! can be killed.
start_transfer() { # ARGUMENT...
	${via:-} "$snapline" transfer start "$follower" --admin "$dir/leader.sock" "$@"
}
pull() { # STORE ARGUMENT...: from the leader, over the second pair
	local store=$1
	shift
	${via:-} "$snapline" pull "$leader" --group g --store "$store" --dev "$(memif 1 client)" \
		--ip 10.78.0.2/24 --stall-timeout 2s "$@"
}

# Whether the newest transfer of the node has moved more than so many percent, and not all.
is_moving() { # NAME PERCENT
	"$snapline" transfer list --admin "$dir/$1.sock" --json >"$dir/moving.json" &&
		jq -e --argjson percent "$2" 'map(select(.stage == "wire")) | .[0] |
			.bytes_done > 0 and .bytes_done * 100 > .bytes * $percent and
			.bytes_done < .bytes' "$dir/moving.json"
}

# Lets the process, one end of the transfer $begun, run in short slices until the node at the
# other end says that it is in mid-transfer; the process is left frozen. So the middle is
# found on a fast machine, and where nothing moved in a slice, on a busy one, too: the next
# is longer.
creep() { # PID NAME PERCENT
	local deadline=$((SECONDS + 20)) slice=20 before='' now
	until is_moving "$2" "$3" >"$dir/jq"; do
		if [ "$SECONDS" -ge "$deadline" ] || is_gone "$begun"; then
			fail "not in mid-transfer: $(cat "$dir/moving.json" "$dir/begun.err")"
		fi
		now=$(jq 'map(.bytes_done) | add' "$dir/moving.json")
		[ "$now" = "$before" ] || deadline=$((SECONDS + 20)) slice=20
		[ "$now" != "$before" ] || [ "$slice" -ge 80 ] || slice=$((slice * 2))
		before=$now
		kill -CONT "$1"
		sleep "0.$(printf %03d "$slice")"
		kill -STOP "$1"
	done
}

# A command's stderr is exactly one line, begins with 'snapline: ' and holds the texts.
expect_line() { # FILE TEXT...
	local file=$1 text
	shift
	if [ "$(wc -l <"$file")" != 1 ] || ! grep -q '^snapline: ' "$file"; then
		cat "$file" >&2
		fail "not exactly one line that begins with 'snapline: '"
	fi
	for text; do
		grep -qF -- "$text" "$file" || {
			cat "$file" >&2
			fail "the line does not say '$text'"
		}
	done
}
# Runs the command; it has to fail with the code, saying one line with the texts.
expect_error() { # CODE TEXT... -- COMMAND...
	local want=$1 status=0 texts=()
	shift
	while [ "$1" != -- ]; do
		texts+=("$1")
		shift
	done
	shift
	"$@" >"$dir/stdout" 2>"$dir/stderr" </dev/null || status=$?
	if [ "$status" != "$want" ]; then
		cat "$dir/stderr" >&2
		fail "exit $status, not $want: $*"
	fi
	expect_line "$dir/stderr" "${texts[@]}"
}

# The store holds these snapshots, sound, and nothing else.
expect_store() { # DIR INDEX...
	[ ! -e "$1/temp" ] || fail "$1 still holds temp"
	expect_kept "$@"
}
# The same after a copy that did not end: what it has received may wait in temp.
expect_kept() { # DIR INDEX...
	local store=$1 index names=''
	shift
	for index; do
		names+=$(printf 'snapshot_%020d ' "$index")
		expect 0 'sound' "$snapline" snapshot verify --store "$store" --index "$index"
	done
	[ "$(find "$store" -mindepth 1 -maxdepth 1 ! -name temp -printf '%f\n' | sort |
		tr '\n' ' ')" = "$names" ] || fail "$store holds $(ls -A "$store"), not $names"
}
