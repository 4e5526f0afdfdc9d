# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Network namespaces that go away with the script that made them, or with the next one, if
# it was killed. Sourced after lib.sh, by root; their names begin with $ns-.
# shellcheck disable=SC2034 # for those who source this
ns=snapline-$$

remove_namespaces() {
	local name pid
	for name in $(ip netns list | grep -o '^snapline-[0-9]*-[a-z0-9]*'); do
		pid=${name#snapline-}
		pid=${pid%-*}
		if [ "$pid" = $$ ] || ! [ -d "/proc/$pid" ]; then
			ip netns pids "$name" | xargs -r kill -KILL 2>/dev/null || true
			ip netns del "$name" || true
		fi
	done
}
