#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# tree.sh SNAPLINE: a tree of real files, from start to end. Makes a snapshot on a leader, brings
# an empty follower up to date over DPDK, and compares the two byte by byte.
#
# Runs as an ordinary user without hugepages: two processes joined by net_memif, a device
# of shared memory. On real hosts only --dev and --ip change.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=$(realpath "${1:?usage: tree.sh SNAPLINE}")
# shellcheck source=lib.sh
. "$here/lib.sh"

# Root becomes nobody first: nothing below may need a privilege. The copies are for a
# checkout in a home directory, where nobody may not look.
if [ "$(id -u)" = 0 ]; then
	install -m 755 "$snapline" "$dir/snapline"
	install -m 755 "$here/tree.sh" "$here/lib.sh" "$dir"
	chown -R 65534:65534 "$dir"
	as_user env TMPDIR="$dir" HOME=/nonexistent "$dir/tree.sh" "$dir/snapline"
	exit
fi

say() {
	printf '%s\n' "$*"
}
show() { # ARGUMENT...: as the user would type it
	local words=("${@//$dir\//}")
	printf '  $ snapline %s\n' "${words[*]}"
}
run() { # ARGUMENT...
	show "$@"
	"$snapline" "$@"
}

free=$(df --output=avail -B 1M "$dir" | tail -n 1)
if [ "$free" -lt 2560 ]; then
	fail "this needs 2.5 GiB in $(dirname "$dir"), $free MiB are free;" \
		"set TMPDIR to a larger place"
fi

# ---- a tree of real files: small and large, nested, empty, sparse, a name with a space
say "1. A directory of real files, as a state machine would save it"
from=$dir/state
mkdir -p "$from/shared library files" "$from/empty"
# Many small files where they are, directories and all; symlinks are left out, a snapshot
# refuses them.
(
	cd /
	find usr/include usr/share/perl5 usr/share/doc usr/lib/python3 -type f -readable \
		-size -512k -print0 2>/dev/null | head -z -n 6000 |
		tar --create --null --files-from=-
) | tar --extract --directory="$from" --no-same-owner
# Large ones: the libraries and programs of this machine, end to end.
fill() { # FILE MIB DIRECTORY...: repeats them if they are too few
	local file=$1 want=$(($2 << 20)) have=0 before
	shift 2
	while [ "$have" -lt "$want" ]; do
		before=$have
		find "$@" -type f -readable -size +64k -print0 2>/dev/null | sort -z |
			xargs -0 cat 2>/dev/null | head -c $((want - have)) >>"$file"
		have=$(stat -c %s "$file")
		[ "$have" -gt "$before" ] || fail "found no readable files in $*"
	done
}
fill "$from/log.segment" 300 /usr/lib
fill "$from/shared library files/all of them" 200 /usr/bin /usr/sbin
: >"$from/empty/file"
truncate -s 64M "$from/sparse"
dd if="$from/log.segment" of="$from/sparse" bs=4096 count=16 seek=8000 conv=notrunc \
	status=none
bytes=$(find "$from" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
files=$(find "$from" -type f | wc -l)
say "   $files files, $((bytes >> 20)) MiB, the largest 300 MiB, the smallest empty"
[ "$bytes" -ge $((512 << 20)) ] || fail "the tree has only $bytes bytes"

# ---- the leader's snapshot
say
say "2. The leader makes a snapshot of it"
leader=127.0.0.1:$(free_port)
follower=127.0.0.1:$(free_port)
until [ "$follower" != "$leader" ]; do
	follower=127.0.0.1:$(free_port)
done
run snapshot create --store "$dir/leader" --index 4711 --term 3 \
	--peer "$leader:0" --peer "$follower:0" "$from"

# ---- two nodes
say
say "3. Two nodes start: the leader, and a follower with nothing"
node() { # NAME ADDRESS MEMIF_ROLE IP
	local options=(--store "$dir/$1" --listen "$2" --group demo --peer-id "$2:0"
		--dev "net_memif0,role=$3,id=0,socket=$dir/memif.sock,socket-abstract=no"
		--ip "$4" --admin "$dir/$1.sock")
	show node "${options[@]}" '&'
	background "$dir/$1.log" "$snapline" node "${options[@]}"
}
explain() { # NAME TEXT: a node's log, then the end
	sed "s/^/   $1: /" "$dir/$1.log" >&2
	fail "$2"
}
# Asks until the node answers, or until it has ended.
await() { # NAME PID
	wait_for 30 answers_or_ended "$1" "$2" || explain "$1" "the $1 does not answer"
	is_running "$2" || explain "$1" "the $1 ended"
}
answers_or_ended() { # NAME PID
	"$snapline" transfer list --admin "$dir/$1.sock" || is_gone "$2"
}
node leader "$leader" server 10.77.0.1/24
leader_pid=$!
await leader "$leader_pid"
node follower "$follower" client 10.77.0.2/24
follower_pid=$!
await follower "$follower_pid"
say "   both answer on their operator sockets"

# ---- the transfer
say
say "4. The leader installs its snapshot on the follower"
if ! run transfer start "$follower" --admin "$dir/leader.sock"; then
	sed 's/^/   leader: /' "$dir/leader.log" >&2
	explain follower "the transfer failed"
fi
run transfer list --admin "$dir/leader.sock"
for name in leader follower; do
	pid_name=${name}_pid
	stop "${!pid_name}" 20 || explain "$name" "the $name did not end well on SIGTERM"
done

# ---- the proof
say
say "5. Is it the same, to the last byte?"
snapshot=snapshot_00000000000000004711
for name in leader follower; do
	diff -r --exclude='__raft_snapshot_meta' --exclude='__snapline_manifest' "$from" \
		"$dir/$name/$snapshot" || fail "the $name's snapshot differs from the source"
	say "   diff -r state $name/$snapshot: equal"
done
for file in __raft_snapshot_meta __snapline_manifest; do
	cmp "$dir/leader/$snapshot/$file" "$dir/follower/$snapshot/$file" ||
		fail "$file differs between leader and follower"
	say "   cmp $file: equal"
done
modes() { # DIRECTORY
	(cd "$1" && find . -type f ! -name '__*' -printf '%m %s %p\n' | sort)
}
[ "$(modes "$from")" = "$(modes "$dir/follower/$snapshot")" ] ||
	fail "modes or sizes differ between source and follower"
say "   modes: equal"
run snapshot verify --store "$dir/follower"

say
say "Done: $files files, $((bytes >> 20)) MiB, identical on leader and follower."
