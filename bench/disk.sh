# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# A directory on a disk, below BENCH_DISK or /var/tmp, and what the kernel remembers of it.
# Sourced after lib.sh; whoever makes one removes it, too.
# shellcheck disable=SC2034,SC2154 # the rows use what is set here; lib.sh sets $dir

# Sets $disk, and $kind, its file system. Skips the row where there is no disk, or no room.
make_disk() { # MIB
	disk=$(mktemp -d "${BENCH_DISK:-/var/tmp}/snapline-disk.XXXXXX")
	kind=$(df --output=fstype "$disk" | tail -n 1)
	[ "$kind" != tmpfs ] ||
		skip "$disk is in memory; name a directory on a disk in BENCH_DISK"
	[ "$(df --output=avail -m "$disk" | tail -n 1)" -ge "$1" ] ||
		skip "needs $1 MiB free in ${disk%/*}"
}
# Moves the leader's store there; $snapshot is its snapshot then.
move_leader_to_disk() {
	mv "$dir/leader" "$disk/leader"
	ln -s "$disk/leader" "$dir/leader"
	snapshot=$disk/leader/snapshot_00000000000000000007
	sync -f "$disk"
}

forget() { # DIR
	find "$1" -type f -exec sh -c 'for file; do
		dd if="$file" iflag=nocache count=0 status=none
	done' sh {} +
}
remember() { # DIR
	find "$1" -type f -exec cat {} + >/dev/null
}
