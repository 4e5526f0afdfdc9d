# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Snapshots of several shapes. Sourced after lib.sh.
# shellcheck disable=SC2154 # lib.sh sets them

# Cuts NAME's file of noise into COUNT files of BYTES, no two chunks alike.
make_files() { # DIR COUNT BYTES
	mkdir -p "$1"
	make_data "$dir/noise" $((($2 * $3 + (1 << 20) - 1) >> 20))
	truncate -s $(($2 * $3)) "$dir/noise"
	split -a 5 -d -b "$3" "$dir/noise" "$1/f"
	rm "$dir/noise"
}

# SHAPE is COUNTxBYTES, or sparse:BYTES, a file of which every 64th MiB is not a hole.
make_shape() { # DIR SHAPE
	local size=${2#sparse:} i
	if [ "$size" = "$2" ]; then
		make_files "$1" "${2%x*}" "${2#*x}"
		return
	fi
	mkdir -p "$1"
	truncate -s "$size" "$1/sparse"
	head -c $((1 << 20)) /dev/urandom >"$dir/mib"
	for ((i = 0; i < size >> 20; i += 64)); do
		dd if="$dir/mib" of="$1/sparse" bs=1M seek="$i" conv=notrunc status=none
	done
	rm "$dir/mib"
}
# Bytes of the files, holes included.
bytes_of() { # DIR
	find "$1" -type f -printf '%s\n' | awk '{ sum += $1 } END { printf "%d", sum }'
}
human() { # SHAPE: for the table
	awk -v shape="$1" 'BEGIN {
		n = 1; size = shape
		if (shape ~ /x/) { split(shape, part, "x"); n = part[1]; size = part[2] }
		sub(/sparse:/, "", size)
		unit = "KiB"; size /= 1024
		if (size >= 1024) { size /= 1024; unit = "MiB" }
		if (size >= 1024) { size /= 1024; unit = "GiB" }
		printf "%s%.4g %s", shape ~ /x/ ? n " x " : "sparse ", size, unit
	}'
}
