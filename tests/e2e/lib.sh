# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# What the end-to-end scripts share. Sourced first: it makes $dir, a directory that is
# removed at the end, together with every process started by `background`.

dir=$(mktemp -d "${TMPDIR:-/tmp}/snapline-e2e.XXXXXX")
chmod 755 "$dir"
pids=()

cleanup() {
	local pid
	# a child that is hit before it has become its command still has our traps
	[ "$BASHPID" = $$ ] || return 0
	for pid in "${pids[@]}"; do
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true # or bash tells of the kill
	done
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'trap "" INT TERM; exit 130' INT TERM # a second one must not cut cleanup short

fail() { # TEXT...
	echo "FAILED: $*" >&2
	exit 1
}

skip() { # REASON...
	echo "$*"
	exit 77
}

# Runs the command in the background; $! is its process, killed at the end at the latest.
background() { # LOG COMMAND...
	local log=$1
	shift
	"$@" </dev/null >"$log" 2>&1 &
	pids+=($!)
}

is_running() { # PID: not ended, nor a zombie that its parent has not buried yet
	grep -q '^State:[^Z]*$' "/proc/$1/status" 2>/dev/null
}
is_gone() { # PID
	! is_running "$1"
}

# No duration is a fact about a machine that does other things as well: it may take so many
# times as long.
PATIENCE=4

# Waits until the command succeeds; fails after that many seconds, on a machine that is idle.
wait_for() { # SECONDS COMMAND...
	local deadline=$((SECONDS + $1 * PATIENCE))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.05
	done
}

# Asks the process to end and waits for it; returns its exit code, 137 if it had to be
# killed.
stop() { # PID SECONDS
	local status=0
	kill -TERM "$1" 2>/dev/null || true
	( sleep $(($2 * PATIENCE)) && kill -KILL "$1" ) 2>/dev/null &
	local watchdog=$!
	wait "$1" || status=$?
	kill "$watchdog" 2>/dev/null || true
	wait "$watchdog" 2>/dev/null || true
	return "$status"
}

# Ports nobody listens on right now.
free_port() {
	local port
	while :; do
		port=$((20000 + RANDOM % 12000))
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
	done
	echo "$port"
}

# Runs the command as an ordinary user: nothing here may need privileges. Root becomes
# nobody, who owns $dir from then on.
as_user() { # COMMAND...
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs "$@"
	else
		"$@"
	fi
}

# Runs the command; its exit code has to be the given one and its output (both streams,
# kept in $dir/out) has to hold the text.
expect() { # CODE TEXT COMMAND...
	local want=$1 text=$2 status=0
	shift 2
	"$@" >"$dir/out" 2>&1 </dev/null || status=$?
	if [ "$status" != "$want" ] || ! grep -qF -- "$text" "$dir/out"; then
		cat "$dir/out" >&2
		fail "exit $status, not $want with '$text': $*"
	fi
}
