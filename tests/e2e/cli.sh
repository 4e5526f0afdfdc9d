#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The command line as its users meet it: what every mistake is answered with, and that
# verify finds a single flipped bit in any file, naming file and chunk.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=$(realpath "${1:?usage: cli.sh SNAPLINE}")
# shellcheck source=lib.sh
. "$here/lib.sh"
cd "$dir"
store=$dir/store
snapshot=$store/snapshot_00000000000000004711

create() { # ARGUMENT...
	"$snapline" snapshot create --store "$store" --index 4711 --term 3 "$@"
}

# ---- asking for help is no mistake
expect 0 'snapline snapshot create' "$snapline" --help
expect 0 'snapline ' "$snapline" --version
expect 0 'snapline snapshot verify' "$snapline" snapshot --help
# Every command that --help lists explains itself.
"$snapline" --help | sed -n 's/^  snapline \(.*[a-z]\)  .*/\1/p' >commands
[ "$(wc -l <commands)" -ge 4 ]
while read -r noun verb; do
	"$snapline" "$noun" ${verb:+"$verb"} --help >out 2>&1 ||
		fail "snapline $noun $verb --help exits $?"
	grep -q "^usage: snapline $noun" out || fail "snapline $noun $verb --help: no usage"
done <commands

# ---- wrong words
expect 64 'usage: snapline COMMAND' "$snapline"
expect 64 'usage: snapline snapshot' "$snapline" snapshot
expect 64 'did you mean snapline snapshot?' "$snapline" snapshto list
expect 64 'did you mean snapline snapshot verify?' "$snapline" snapshot verfy
expect 64 "there is no command 'frobnicate'; see snapline --help" "$snapline" frobnicate
expect 64 'did you mean --store?' "$snapline" snapshot list --stor x
expect 64 '--store DIR is missing' "$snapline" snapshot list
expect 64 'FROM_DIR is missing' create
expect 64 '--index takes a number from 1' "$snapline" snapshot create --store s \
	--index 0 --term 1 .
expect 64 '--index takes a number from 1' "$snapline" snapshot create --store s \
	--index 9223372036854775808 --term 1 .
expect 64 '--chunk-size takes a size' create --chunk-size 1 .
expect 64 'power of two' create --chunk-size 300KiB .
expect 64 '--peer: ' create --peer nonsense .

# ---- wrong places
expect 66 "$dir/nowhere" "$snapline" snapshot list --store "$dir/nowhere"
expect 66 "$dir/nowhere" "$snapline" snapshot show --store "$dir/nowhere"
expect 66 "$dir/nowhere" "$snapline" snapshot verify --store "$dir/nowhere"
expect 66 "$dir/no/parent" "$snapline" snapshot create --store "$dir/no/parent" \
	--index 1 --term 1 .
mkdir -p foreign
echo precious >foreign/letters.txt
expect 78 'letters.txt' "$snapline" snapshot create --store "$dir/foreign" --index 1 \
	--term 1 "$here"
[ "$(cat foreign/letters.txt)" = precious ] || fail 'a foreign directory was changed'

# ---- what a snapshot refuses to hold, by name
mkdir from
echo data >from/file
expect 66 "$dir/absent" create "$dir/absent"
ln -s file from/link
expect 64 'link' create from
rm from/link
mkfifo from/fifo
expect 64 'fifo' create from
rm from/fifo
touch from/$'bell\a'
expect 64 'control character' create from
if grep -q $'\a' out; then fail 'a control character reached the terminal'; fi
rm from/$'bell\a'
touch from/__raft_snapshot_meta
expect 64 '__raft_snapshot_meta' create from
rm from/__raft_snapshot_meta
if ls "$store"/snapshot_* >ls-out 2>&1; then fail 'a refused snapshot was committed'; fi

# ---- a snapshot, shown in every way
rm -r from
mkdir -p "from/a b/c"
head -c 3000000 /dev/urandom >from/large
echo small >"from/a b/small"
echo odd >"from/a b/c/odd \"name\" \\"
: >from/empty
truncate -s 5M from/sparse
chmod 640 from/large
create --peer 127.0.0.1:8001 --peer 127.0.0.1:8002:0:0 --json from >result.json 2>err
jq -e '.index == 4711 and .term == 3 and .files == 5' result.json >jq-out ||
	fail "create --json says $(cat result.json)"
diff -r --exclude='__*' from "$snapshot"
[ "$(stat -c %a "$snapshot/large")" = 640 ] || fail 'the mode was not kept'
expect 73 '4711' create from
expect 75 '4711' "$snapline" snapshot create --store "$store" --index 5 --term 1 from

expect 0 '4711' "$snapline" snapshot list --store "$store"
"$snapline" snapshot list --store "$store" --json >list.json
jq -e 'length == 1 and .[0].index == 4711 and .[0].manifest and .[0].error == null' \
	list.json >jq-out || fail "list --json says $(cat list.json)"
expect 0 '127.0.0.1:8001:0:0' "$snapline" snapshot show --store "$store"
"$snapline" snapshot show --store "$store" --index 4711 --json >show.json
jq -e '(.files | length) == 5 and .peers[1] == "127.0.0.1:8002:0:0"
	and (.root | test("^[0-9a-f]{64}$"))
	and any(.files[]; .name == "a b/c/odd \"name\" \\" and .mode == "0644")
	and any(.files[]; .name == "large" and .size == 3000000 and .mode == "0640")' \
	show.json >jq-out || fail "show --json says $(cat show.json)"
expect 66 '9' "$snapline" snapshot show --store "$store" --index 9
expect 0 'sound' "$snapline" snapshot verify --store "$store"
"$snapline" snapshot verify --store "$store" --json >verify.json
jq -e '.sound and .problems == [] and .files == 5 and .error == null' verify.json \
	>jq-out || fail "verify --json says $(cat verify.json)"
list_to_full() {
	"$snapline" snapshot list --store "$store" >/dev/full
}
expect 74 'standard output' list_to_full
"$snapline" snapshot show --store "$store" 2>err | true
[ ! -s err ] || fail "a reader that has seen enough is told: $(cat err)"

# ---- a store that another process owns, and files one may not read
expect 75 "$store" flock "$store" "$snapline" snapshot create --store "$store" \
	--index 4712 --term 3 from
expect 0 '4711' flock "$store" "$snapline" snapshot list --store "$store"
install -m 755 "$snapline" mine
mkdir -m 777 theirs
cp -r from theirs/from
echo secret >theirs/from/secret
chmod -R o+rX theirs/from
chmod 0 theirs/from/secret
expect 77 'secret' as_user "$dir/mine" snapshot create --store "$dir/theirs/store" \
	--index 1 --term 1 "$dir/theirs/from"
chmod 700 "$store"
[ "$(id -u)" != 0 ] ||
	expect 77 "$store" as_user "$dir/mine" snapshot list --store "$store"

# ---- killed at any instant, the store is as it was and the next one succeeds
mkdir busy
for ((i = 0; i < 200; i++)); do
	head -c 20000 from/large >"busy/$i"
done
for delay in 0.001 0.003 0.006 0.01 0.015 0.02 0.03; do
	timeout -s KILL "$delay" "$snapline" snapshot create --store "$store" --index 4712 \
		--term 3 --quiet busy >out 2>&1 || true
	if [ -d "$store/snapshot_00000000000000004712" ]; then
		expect 0 'sound' "$snapline" snapshot verify --store "$store" --index 4712
		break
	fi
	expect 0 'sound' "$snapline" snapshot verify --store "$store" --index 4711
done
rm -rf "$store"
create from >out 2>&1

# ---- verify finds one flipped bit, wherever it is
flip() { # FILE OFFSET
	local byte
	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059 # the format is the byte
	printf "\\x$(printf %02x $((byte ^ 16)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
damaged() { # NAME OFFSET CHUNK
	flip "$snapshot/$1" "$2"
	expect 65 "(chunk $3 of the file" "$snapline" snapshot verify --store "$store"
	grep -qF "$1" out || fail "verify does not name $1"
	"$snapline" snapshot verify --store "$store" --json >verify.json 2>err &&
		fail "verify --json of a damaged snapshot exits 0"
	jq -e --arg name "$1" --argjson chunk "$3" '(.sound | not) and
		any(.problems[]; .file == $name and .chunk == $chunk)' \
		verify.json >jq-out || fail "verify --json says $(cat verify.json)"
	flip "$snapshot/$1" "$2"
}
damaged large 0 0
damaged large 2999999 2
damaged 'a b/small' 3 0
damaged sparse 3000000 2
expect 0 'sound' "$snapline" snapshot verify --store "$store"

# A file that shrank, grew or went is found as well.
cp "$snapshot/large" kept
truncate -s -1 "$snapshot/large"
expect 65 'large' "$snapline" snapshot verify --store "$store"
cp kept "$snapshot/large"
mv "$snapshot/empty" gone
expect 65 'empty' "$snapline" snapshot verify --store "$store"
mv gone "$snapshot/empty"

# ---- a manifest or table that cannot be trusted is never guessed at
expect_damaged() { # TEXT
	local verb
	for verb in list show verify; do
		expect 65 "$1" "$snapline" snapshot "$verb" --store "$store"
	done
	[ -f "$snapshot/large" ] || fail "a damaged snapshot was removed"
}
size=$(stat -c %s "$snapshot/__snapline_manifest")
for offset in 0 9 20 $((size / 2)) $((size - 1)); do
	flip "$snapshot/__snapline_manifest" "$offset"
	expect_damaged manifest
	flip "$snapshot/__snapline_manifest" "$offset"
done
cp "$snapshot/__raft_snapshot_meta" table
for size in 0 3 4 20 $(($(stat -c %s table) - 1)); do
	head -c "$size" table >"$snapshot/__raft_snapshot_meta"
	expect_damaged __raft_snapshot_meta
done
cp table "$snapshot/__raft_snapshot_meta"
expect 0 'sound' "$snapline" snapshot verify --store "$store"
