#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Shows, reserves and releases hugepages. SYSFS and PROC replace /sys and /proc in tests.
set -eu

SYSFS=${SYSFS:-/sys}
PROC=${PROC:-/proc}
DRY_RUN=0
NODE=
SIZE=

# sysexits.h
EX_USAGE=64
EX_DATAERR=65
EX_UNAVAILABLE=69
EX_OSERR=71
EX_NOPERM=77

usage() {
	cat <<END
Usage: hugepages.sh [-n] [-N NODE] [-s SIZE] status | reserve N | release

  status      pages of each size, on each NUMA node
  reserve N   have N pages in all (of the size and node chosen)
  release     give back every page that nobody uses

  -N NODE     this NUMA node only (default: the kernel spreads over all)
  -s SIZE     2M, 1G or as the kernel says (default: the kernel's default size)
  -n          dry run: print what would be done
  --help      this text

Pages in use stay until their process ends. Pages do not survive a reboot: for that put
vm.nr_hugepages=N into /etc/sysctl.d, or hugepagesz=1G hugepages=N on the kernel's
command line. Changing the number needs root.
END
}

fail() {
	code=$1
	shift
	echo "hugepages.sh: $*" >&2
	exit "$code"
}

read_number() {
	number=
	[ ! -r "$1" ] || read -r number <"$1" || true
	echo "${number:-0}"
}

meminfo() {
	sed -n "s/^$1: *\\([0-9]*\\) kB.*/\\1/p" "$PROC/meminfo"
}

# 2M, 2048K, 2048kB, 1G -> KiB
size_to_kib() {
	number=${1%%[!0-9]*}
	unit=${1#"$number"}
	[ -n "$number" ] || fail $EX_USAGE "bad page size '$1': use 2M or 1G"
	case $unit in
	k | K | kB | KiB) echo "$number" ;;
	m | M | MB | MiB) echo $((number * 1024)) ;;
	g | G | GB | GiB) echo $((number * 1024 * 1024)) ;;
	*) fail $EX_USAGE "bad page size '$1': use 2M or 1G" ;;
	esac
}

kib_to_text() {
	if [ $(($1 % 1048576)) -eq 0 ]; then
		echo "$(($1 / 1048576)) GiB"
	elif [ $(($1 % 1024)) -eq 0 ]; then
		echo "$(($1 / 1024)) MiB"
	else
		echo "$1 KiB"
	fi
}

# The folder with nr_hugepages of the chosen size and node.
pages_folder() {
	if [ -n "$NODE" ]; then
		base=$SYSFS/devices/system/node/node$NODE
		[ -d "$base" ] || fail $EX_DATAERR "no NUMA node $NODE here:" \
			"see '$0 status'"
		base=$base/hugepages
	else
		base=$SYSFS/kernel/mm/hugepages
	fi
	[ -d "$base" ] || fail $EX_UNAVAILABLE "this kernel has no hugepages" \
		"(CONFIG_HUGETLBFS); Snapline runs on plain memory then"
	kib=$(page_kib)
	folder=$base/hugepages-${kib}kB
	[ -d "$folder" ] || fail $EX_DATAERR "no hugepages of $(kib_to_text "$kib")" \
		"here: see '$0 status' for the sizes there are"
	echo "$folder"
}

page_kib() {
	if [ -n "$SIZE" ]; then
		size_to_kib "$SIZE"
		return
	fi
	kib=$(meminfo Hugepagesize)
	echo "${kib:-2048}"
}

print_row() { # where folder
	kib=${2##*hugepages-}
	kib=${kib%kB}
	total=$(read_number "$2/nr_hugepages")
	free=$(read_number "$2/free_hugepages")
	printf '%-8s %-8s %8s %8s %12s\n' "$1" "$(kib_to_text "$kib")" "$total" "$free" \
		"$(kib_to_text $((total * kib)))"
}

status() {
	printf '%-8s %-8s %8s %8s %12s\n' NODE SIZE PAGES FREE MEMORY
	for folder in "$SYSFS"/kernel/mm/hugepages/hugepages-*; do
		[ -d "$folder" ] || fail $EX_UNAVAILABLE "this kernel has no hugepages" \
			"(CONFIG_HUGETLBFS); Snapline runs on plain memory then"
		print_row all "$folder"
	done
	for folder in "$SYSFS"/devices/system/node/node*/hugepages/hugepages-*; do
		[ -d "$folder" ] || continue
		node=${folder#"$SYSFS"/devices/system/node/node}
		print_row "${node%%/*}" "$folder"
	done
}

set_pages() { # folder count
	if [ "$DRY_RUN" -eq 1 ]; then
		echo "would write $2 to $1/nr_hugepages (now $(read_number "$1/nr_hugepages"))"
		return 0
	fi
	[ -w "$1/nr_hugepages" ] || fail $EX_NOPERM "permission denied:" \
		"$1/nr_hugepages cannot be written; run it as root (sudo $0 ...)," \
		"and in a container on the host"
	# What the kernel cannot find it leaves out without an error.
	echo "$2" >"$1/nr_hugepages" || fail $EX_OSERR "the kernel refused $2 pages"
}

# Says why fewer pages came than were asked for.
explain_shortage() { # folder wanted got
	kib=${1##*hugepages-}
	kib=${kib%kB}
	missing=$((($2 - $3) * kib))
	available=$(meminfo MemAvailable)
	echo "hugepages.sh: $3 of $2 pages reserved, $(kib_to_text $missing) short" >&2
	if [ "${available:-0}" -lt "$missing" ]; then
		fail $EX_OSERR "not enough memory: $(kib_to_text "${available:-0}")" \
			"available; reserve fewer pages or stop what uses memory"
	fi
	if [ "$kib" -ge 1048576 ]; then
		fail $EX_OSERR "memory is fragmented: pages of $(kib_to_text "$kib") are" \
			"found at boot only; add hugepagesz=1G hugepages=$2 to the" \
			"kernel's command line, or use -s 2M"
	fi
	fail $EX_OSERR "memory is fragmented: try again after" \
		"'echo 3 >/proc/sys/vm/drop_caches; echo 1 >/proc/sys/vm/compact_memory'," \
		"or reserve right after boot"
}

reserve() {
	case $1 in
	'' | *[!0-9]*) fail $EX_USAGE "reserve wants a number of pages, not '$1'" ;;
	esac
	[ "${#1}" -le 9 ] || fail $EX_USAGE "reserve $1: that many pages do not exist"
	folder=$(pages_folder)
	set_pages "$folder" "$1"
	[ "$DRY_RUN" -eq 0 ] || return 0
	got=$(read_number "$folder/nr_hugepages")
	[ "$got" -ge "$1" ] || explain_shortage "$folder" "$1" "$got"
	echo "$got pages of $(kib_to_text "$(page_kib)") reserved"
}

release() {
	folder=$(pages_folder)
	set_pages "$folder" 0
	[ "$DRY_RUN" -eq 0 ] || return 0
	left=$(read_number "$folder/nr_hugepages")
	if [ "$left" -ne 0 ]; then
		echo "released; $left pages are in use and go when their process ends"
	else
		echo "released"
	fi
}

while [ $# -gt 0 ]; do
	case $1 in
	-h | --help)
		usage
		exit 0
		;;
	-n | --dry-run) DRY_RUN=1 ;;
	-N | --node | -s | --size)
		[ $# -ge 2 ] || fail $EX_USAGE "$1 wants a value; see --help"
		case $1 in
		-N | --node) NODE=$2 ;;
		*) SIZE=$2 ;;
		esac
		shift
		;;
	-*) fail $EX_USAGE "unknown option $1; see --help" ;;
	*) break ;;
	esac
	shift
done

case $NODE in
*[!0-9]*) fail $EX_USAGE "bad NUMA node '$NODE': use a number as in '$0 status'" ;;
esac

case ${1:-} in
status)
	[ $# -eq 1 ] || fail $EX_USAGE "status takes no arguments; see --help"
	status
	;;
reserve)
	[ $# -eq 2 ] || fail $EX_USAGE "reserve wants one number of pages; see --help"
	reserve "$2"
	;;
release)
	[ $# -eq 1 ] || fail $EX_USAGE "release takes no arguments; see --help"
	release
	;;
'')
	usage >&2
	exit $EX_USAGE
	;;
*) fail $EX_USAGE "unknown command '$1'; see --help" ;;
esac
