#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# tests/layers.sh finds each kind of offence: one is planted at a time in a tree that is
# otherwise clean.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"

tree=$dir/tree
reset_tree() {
	rm -rf "$tree"
	mkdir -p "$tree"/{dataplane/{base,dpdk,file},control/{cli,kv,rpc,storage},hugepages}
	mkdir -p "$tree"/tests/unit
	plant dataplane/wire.h '<stdint.h>'
	plant dataplane/base/log.c '<unistd.h>'
	plant dataplane/dpdk/nic_dpdk.c '<rte_ethdev.h>'
	plant dataplane/manifest_codec.c '"proto/snapline.pb-c.h"'
	plant control/rpc/rpc.c '<uv.h>'
	plant control/storage/build.c '"dataplane/manifest.h"'
}
plant() { # FILE INCLUDED
	echo "#include $2" >"$tree/$1"
}
refused() { # FILE INCLUDED
	reset_tree
	plant "$1" "$2"
	if "$here/../layers.sh" "$tree" >"$dir/out" || ! grep -q "^$1:1" "$dir/out"; then
		fail "$1 may include $2, says layers.sh"
	fi
}

reset_tree
"$here/../layers.sh" "$tree" || fail "a clean tree is refused"

refused dataplane/wire.c '<pthread.h>'
refused dataplane/wire.c '<sys/socket.h>'
refused dataplane/wire.c '<time.h>'
refused dataplane/wire.c '<rte_mbuf.h>'
refused dataplane/wire.c '"dataplane/dpdk/nic_dpdk.h"'
refused dataplane/wire.c '"control/table.h"'
refused dataplane/wire.c '"proto/snapline.pb-c.h"'
refused dataplane/file/store_file.c '"control/storage/storage.h"'
refused dataplane/base/ring.c '"dataplane/crc.h"'
refused dataplane/base/ring.c '<isa-l.h>'
refused control/table.c '<fcntl.h>'
refused control/table.c '<uv.h>'
refused control/storage/storage.c '<uv.h>'
refused control/cli/main.c '"dataplane/receiver.h"'
refused control/cli/main.c '<rte_eal.h>'
refused hugepages/arena.c '<rte_memzone.h>'
refused control/rpc/rpc.c '<raft.h>'
refused control/rpc/rpc.c '"control/kv/keys.h"'
refused control/kv/main.c '"control/storage/storage.h"'
refused tests/unit/table.c '<rte_mbuf.h>'

reset_tree
plant control/meta_codec.h '"proto/braft.pb-c.h"'
plant control/table.c '"control/meta_codec.h"'
"$here/../layers.sh" "$tree" >"$dir/out" && fail "generated types reach table.c"
grep -q '^control/table.c:1' "$dir/out"

reset_tree
yes '' | head -n 501 >"$tree/control/table.c"
"$here/../layers.sh" "$tree" >"$dir/out" && fail "a file of 501 lines is accepted"
grep -q '^control/table.c:501 lines' "$dir/out"

reset_tree
mkdir "$tree/scripts"
"$here/../layers.sh" "$tree" >"$dir/out" && fail "a new top-level folder is accepted"
grep -qx 'scripts' "$dir/out"

reset_tree
echo 'return getenv("HOME");' >"$tree/control/table.c"
"$here/../layers.sh" "$tree" >"$dir/out" && fail "getenv in a pure file is accepted"
grep -q '^control/table.c:1' "$dir/out"
