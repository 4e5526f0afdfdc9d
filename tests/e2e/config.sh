#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A node from a configuration file: checked before it starts, started from it, and its
# rates changed by SIGHUP while it runs; a file that is wrong changes nothing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=$(realpath "${1:?usage: config.sh SNAPLINE}")
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=nodes.sh
. "$here/nodes.sh"
become_user "$0"
choose_addresses leader

config() { # RATE [DISK-RATE]
	cat >"$dir/node.yaml" <<-END
		# what the leader is
		store: $dir/leader
		listen: $leader
		group: g
		peer-id: $leader:0
		admin: $dir/leader.sock
		dev: ["$(memif 1 server)"]
		ip: [10.78.0.1/24]
		rate: $1
		disk-rate: ${2:-unlimited}
	END
}
check() { # ARGUMENT...
	"$snapline" node --check --config "$dir/node.yaml" "$@"
}

# ---- before anything starts
config 2Gbit
expect 0 'the configuration is good' check
[ ! -e "$dir/leader" ] || fail '--check made the store'
echo 'rat: 1Gbit' >>"$dir/node.yaml"
expect_error 64 "node.yaml: unknown key 'rat'; did you mean 'rate'?" -- check
config fast
expect_error 64 "node.yaml: --rate takes auto, unlimited" -- check
config 1Gbit
sed -i '/^group/d' "$dir/node.yaml"
expect_error 64 '--group GROUP is missing' -- check
expect 0 'the configuration is good' check --group g
expect_error 66 'No such file' -- "$snapline" node --config "$dir/none.yaml"

# ---- it runs as the file says, and as it says later
limit() { # BPS DISK-BPS
	"$snapline" queue list --admin "$dir/leader.sock" --json 2>"$dir/err" |
		jq -s -e ".[0] | .[0].port_limit_bps == $1 and
			(.[] | select(.port == \"disk\").limit_bps) == $2" >"$dir/jq"
}
config 200Mbit
background "$dir/leader.log" "$snapline" node --config "$dir/node.yaml"
node=$!
wait_for 20 limit 200000000 null || fail "no node with this rate: $(cat "$dir/leader.log")"
config 300Mbit 2Gbit
kill -HUP "$node"
wait_for 10 limit 300000000 2000000000 || fail "SIGHUP changes nothing: $(cat "$dir/leader.log")"

# ---- a SIGHUP while the next one starts waits until it can be heeded
stop "$node" 20 || fail 'the node does not end'
rm "$dir/leader.log"
background "$dir/leader.log" "$snapline" node --config "$dir/node.yaml"
node=$!
wait_for 20 test -s "$dir/leader.log" || fail 'it says nothing'
kill -HUP "$node"
has_reloaded() {
	grep -q ' event=reload rate="300 Mb/s"' "$dir/leader.log"
}
wait_for 20 has_reloaded || fail "SIGHUP at the start: $(cat "$dir/leader.log")"

# ---- what is wrong changes nothing
config 400Mbit fast
kill -HUP "$node"
is_refused() {
	grep -q 'event=reload_failed .*--disk-rate takes unlimited' "$dir/leader.log"
}
wait_for 10 is_refused || fail 'nobody says that the file is wrong'
limit 300000000 2000000000 || fail 'a wrong file changed the rate'
config auto
kill -HUP "$node"
is_auto() {
	"$snapline" queue list --admin "$dir/leader.sock" --json |
		jq -s -e '.[0][0] | .auto and .port_limit_bps == null' >"$dir/jq"
}
wait_for 10 is_auto || fail 'SIGHUP does not make it automatic'
stop "$node" 20 || fail 'the node does not end'
