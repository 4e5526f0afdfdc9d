#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What a limit achieves over a veth pair, AF_PACKET, MTU 9000.
#
#   a: leader ── v0 ═══ v1 ── b: follower      10.90.0.0/24
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../shapes.sh
. "$bench/shapes.sh"
# shellcheck source=../ours.sh
. "$bench/ours.sh"
# shellcheck source=../namespaces.sh
. "$bench/namespaces.sh"
# shellcheck source=../limits.sh
. "$bench/limits.sh"

join 9000 v0 v1
for ((run = 0; run < runs; run++)); do
	start_leader_in_a "$control" --dev net_af_packet0,iface=v0 --ip 10.90.0.1/24 --rate 1Gbit
	measure_limits --dev net_af_packet0,iface=v1 --ip 10.90.0.2/24
done
