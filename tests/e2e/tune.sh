#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# snapline tune, at its shortest: what it finds is a table, a plot and a configuration that
# a node takes; interrupted, it leaves nothing. What the numbers are is nobody's business.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=$(realpath "${1:?usage: tune.sh SNAPLINE}")
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=nodes.sh
. "$here/nodes.sh"
become_user "$0"
server=127.0.0.1:$(free_port)
mkdir "$dir/files"

tune() { # ARGUMENT...
	"$snapline" tune --quick --size 4MiB --files 4 --runs 1 --dir "$dir/files" "$@"
}
is_clean() {
	[ -z "$(ls -A "$dir/files")" ]
}

# ---- by itself
expect 0 'core-s/GiB' tune --output "$dir/tuned"
cat "$dir/out"
for axis in mtu buffers window queues burst rate; do
	grep -q "^\* $axis " "$dir/out" || fail "no value of $axis is chosen"
done
is_clean || fail 'files stay behind'
[ "$(wc -l <"$dir/tuned.tsv")" -ge 12 ] || fail "a short table: $(cat "$dir/tuned.tsv")"
grep -q '^buffers: ' "$dir/tuned.yaml" || fail "no configuration: $(cat "$dir/tuned.yaml")"
printf 'store: %s\nlisten: %s\ngroup: g\npeer-id: %s:0\nbuffers: 64\n' "$dir/store" "$server" \
	"$server" >"$dir/node.yaml"
expect 0 'the configuration is good' "$snapline" node --check --config "$dir/node.yaml" \
	--config "$dir/tuned.yaml"
if command -v gnuplot >/dev/null; then
	grep -q '</svg>' "$dir/tuned.svg" || fail 'no plot'
else
	grep -q 'install gnuplot-nox' "$dir/out" || fail 'nobody says why there is no plot'
fi

# ---- from another bench, which tries what it is told, with requests of others beside it: a fourth of the link may be too
# much for them, and no transfer at all is not, unless nothing is quick enough
background "$dir/serve.log" "$snapline" bench --serve --listen "$server" --size 4MiB --files 4 \
	--dir "$dir/files" --dev "$(memif 0 server)" --ip 10.77.0.1/24
serving=$!
answers() {
	(exec 3<>"/dev/tcp/${server%:*}/${server#*:}") 2>"$dir/jq"
}
wait_for 20 answers || fail "bench --serve does not: $(cat "$dir/serve.log")"
tune_from() { # ARGUMENT...
	tune --to "$server" --dev "$(memif 0 client)" --ip 10.77.0.2/24 "$@"
}
expect 0 'p99 us' tune_from --foreground "$server" --foreground-ceiling 500ms --output "$dir/beside"
tee "$dir/tuned.out" <"$dir/out"
rows=$(grep -c '^rate ' "$dir/beside.tsv")
[ "$rows" = 4 ] || fail "$rows rates: $(cat "$dir/beside.tsv")"
awk -F '\t' '$1 == "rate none" { none = $7 } /^rate/ && $7 == "NaN" { bad = 1 }
	END { exit bad || none <= 0 }' "$dir/beside.tsv" || fail "$(cat "$dir/beside.tsv")"
grep -q '^rate: [0-9au]' "$dir/beside.yaml" || fail "no rate: $(cat "$dir/beside.yaml")"
expect 0 'the configuration is good' "$snapline" node --check --config "$dir/beside.yaml" \
	--store "$dir/store" --listen "$server" --group g --peer-id "$server:0"
put_back() { # everything that was set
	[ "$(grep -c event=set "$dir/serve.log")" = "$(grep -c event=put_back "$dir/serve.log")" ]
}
told() { # TEXT
	grep -q "event=set .*$1" "$dir/serve.log" || fail "nothing told of $1: $(log_of_bench)"
}
log_of_bench() {
	grep 'info bench' "$dir/serve.log"
}
wait_for 5 put_back || fail "it keeps what it was told: $(log_of_bench)"
told 'window=64 '
told 'burst=65536'
[ "$(getconf _NPROCESSORS_ONLN)" = 1 ] || grep -q 'set by the far node: start it with --queues' \
	"$dir/tuned.out" || fail 'more queues were tried than there are'

# ---- what the bench lets nobody set: somebody beside the tuner, and what no option takes
set_far() { # FD MESSAGE: a call of BenchService.set, as a frame
	local size
	printf -v size '\\x%02x' $((32 + ${#2} / 4))
	printf 'PRPC\0\0\0%b\0\0\0\x20\x0a\x1c\x0a\x15%s\x12\x03set\x20\x01%b' \
		"$size" snapline.BenchService "$2" >&"$1"
	size=$(timeout 20 head -c 12 <&"$1" | od -An -tu1 -j7 -N1)
	timeout 20 head -c "$size" <&"$1" | tr -d '\0' >"$dir/answer"
}
expect_answer() { # TEXT
	grep -aqF -- "$1" "$dir/answer" || fail "not '$1': $(cat -v "$dir/answer")"
}
exec 3<>"/dev/tcp/${server%:*}/${server#*:}" 4<>"/dev/tcp/${server%:*}/${server#*:}"
set_far 3 '\x08\x20'
told 'window=32 '
set_far 3 '\x08\x05'
expect_answer 'window 5: 16 to 2048 are possible'
set_far 4 '\x08\x20'
expect_answer 'tunes this bench already'
exec 3>&-
wait_for 5 put_back || fail "it keeps what it was told: $(log_of_bench)"
set_far 4 '\x08\x21'
told 'window=33 '
exec 4>&-

# ---- a tuner that is killed, and so leaves its files
background "$dir/out" "$snapline" tune --to "$server" --runs 1 --dir "$dir" \
	--dev "$(memif 0 client)" --ip 10.77.0.2/24
tuner=$!
has_set() {
	! put_back
}
wait_for 20 has_set || fail "it is told nothing: $(log_of_bench)"
kill -KILL "$tuner"
wait "$tuner" 2>"$dir/jq" || true
wait_for 5 put_back || fail "it keeps what the dead have told it: $(log_of_bench)"
stop "$serving" 10 || true

# ---- a node is no bench
start_node node "$server"
expect 66 "$server is a node" tune_from
exec 3<>"/dev/tcp/${server%:*}/${server#*:}"
set_far 3 '\x08\x20'
expect_answer "a node's settings are its operator's"
exec 3>&-
stop_node node
expect_error 69 "$server" -- tune_from --quiet --foreground "tcp:$server"
for axis in window burst; do
	grep -q "^\* $axis " "$dir/tuned.out" || fail "no value of the far $axis is chosen"
	grep -q "^$axis: " "$dir/beside.yaml" || fail "no $axis: $(cat "$dir/beside.yaml")"
done

# ---- interrupted: every process ends, nothing stays
background "$dir/out" "$snapline" tune --quiet --dir "$dir/files"
tuner=$!
has_begun() {
	! is_clean
}
wait_for 10 has_begun || fail 'it does not begin'
status=0
kill -TERM "$tuner"
wait "$tuner" || status=$?
[ "$status" = 75 ] || fail "interrupted, it exits $status: $(cat "$dir/out")"
wait_for 10 is_clean || fail "interrupted, it leaves $(ls "$dir/files")"

# ---- what makes no sense
expect_error 64 '--dev' '--to' -- tune --dev net_ring0 --ip 10.0.0.1/24
expect_error 69 "$server" -- tune_from --quiet
expect_error 64 '--to' 'give --dev' -- tune --quiet --to "$server"
expect_error 64 '--foreground-ceiling' 'give --foreground' -- tune --foreground-ceiling 1ms
expect_error 64 '--foreground' 'HOST:PORT' -- tune --quiet --foreground here
