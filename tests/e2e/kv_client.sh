#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# snapline-kv as its clients and its operator meet it: commands, limits, redirections,
# mistakes on the command line, and a restart.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=${1:?usage: kv_client.sh build/snapline}
kv=$(dirname "$snapline")/snapline-kv
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=kv.sh
. "$here/kv.sh"
become_user "$0" "$(dirname "$snapline")"

# ---- mistakes of an operator: one line, a remedy, an exit code of sysexits.h
expect 0 'usage: snapline-kv [options]' "$kv" --help
expect 64 'snapline-kv: --id N is missing' "$kv" --dir "$dir/x" --address 127.0.0.1:7000
expect 64 'did you mean --member' "$kv" --membr 1=127.0.0.1:7000
given=(--id 1 --dir "$dir/x" --address 127.0.0.1:7000)
expect 64 '--member for each server of a new group, or --join' "$kv" "${given[@]}"
expect 64 'give one of them' "$kv" "${given[@]}" --join --member 1=127.0.0.1:7000
expect 64 '--member: peer' "$kv" "${given[@]}" --member 1=localhost
expect 64 'the port needs two more' "$kv" --id 1 --dir "$dir/x" --address 127.0.0.1:65535 --join
expect 64 'one --ip for every --dev' "$kv" "${given[@]}" --join --dev net_null0

# ---- two servers: one leads, the other says where
path=tcp
found_cluster 2
need_leader
other=$(follower 1)
says() { # TEXT ID WORD...: the answer is that text
	local text=$1 got
	shift
	got=$(cli "$@" 2>&1)
	[ "$got" = "$text" ] || fail "'$got' is not '$text': redis-cli ${*:2}"
}
says PONG "$leader" ping
says OK "$leader" set a 'one two'
says 'one two' "$leader" get a
says OK "$leader" set empty ''
says '' "$leader" get empty
says '' "$leader" get none
says 2 "$leader" exists a empty none
says 2 "$leader" del a none empty
says 0 "$leader" dbsize
says "MOVED 0 127.0.0.1:${port[$leader]}" "$other" set a 1
says "MOVED 0 127.0.0.1:${port[$leader]}" "$other" get a
says OK "$other" -c set followed yes
expect_equal 1 2
[ "$(printf 'READONLY\nGET followed\n' | timeout 10 redis-cli -p "${port[$other]}" |
	tr '\n' ' ')" = 'OK yes ' ] || fail 'READONLY does not read here'

# ---- limits
says 'ERR SET takes no options here: SET key value' "$leader" set a 1 EX 10
says "ERR unknown command 'flushall'" "$leader" flushall
says "ERR wrong number of arguments for 'get' command" "$leader" get
key=$(printf '%01025d' 0)
says 'ERR key of 1025 bytes: at most 1024' "$leader" set "$key" 1
# shellcheck disable=SC2016 # the dollars are Redis's, and those of the inner shell
big() { # BYTES: sets a value as large, over a raw connection
	{
		printf '*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$%d\r\n' "$1"
		head -c "$1" /dev/zero | tr '\0' x
		printf '\r\nQUIT\r\n'
	} | timeout 20 bash -c 'exec 3<>/dev/tcp/127.0.0.1/$0; cat >&3; cat <&3' "${port[$leader]}" |
		tr -d '\r' | head -n 1
}
[ "$(big $((1 << 20)))" = '+OK' ] || fail 'a value of 1 MiB is refused'
[ "$(big $(((1 << 20) + 1)))" = '-ERR value of 1048577 bytes: at most 1048576' ] ||
	fail 'a value above 1 MiB is not refused'
[ "$(big $((3 << 20)))" = '-ERR Protocol error: invalid bulk length' ] ||
	fail 'a bulk above 2 MiB is not refused'
says 'ERR CONFIG SET knows snapshot-threshold and snapshot-trailing' \
	"$leader" config set maxmemory 1
says OK "$leader" config set snapshot-threshold 1000
[ "$(info "$leader" snapshot_threshold)" = 1000 ] || fail 'CONFIG SET does nothing'
case $(cli "$leader" snapline add 3 nonsense 2>&1) in
"ERR peer 'nonsense' must start with an IPv4 address"*) ;;
*) fail 'an address that is none is taken' ;;
esac

# ---- many clients, many requests at once, nobody's answer out of order
expect 0 'requests per second' timeout 60 redis-benchmark -h 127.0.0.1 -p "${port[$leader]}" \
	-t set,get,ping -n 20000 -r 1000 -P 16 -q
for i in {1..500}; do
	echo "SET order:$((i % 7)) $i"
	echo "GET order:$((i % 7))"
	echo "ECHO $i"
done | timeout 100 redis-cli -h 127.0.0.1 -p "${port[$leader]}" >"$dir/answers"
[ "$(grep -c '^OK$' "$dir/answers")" = 500 ] || fail 'not every SET of a row was answered'

# ---- a restart
expect_equal 1 2
digest=$(info "$leader" digest | cut -d@ -f1)
stop_server 1
stop_server 2
start_server 1
start_server 2
need_leader
expect_equal 1 2
[ "$(info "$leader" digest | cut -d@ -f1)" = "$digest" ] || explain 'a restart changes keys'
