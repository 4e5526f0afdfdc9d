#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# layers.sh [ROOT]: proves who includes whom. Prints each offending line with its rule and
# exits 1 if there is one. tests/e2e/layers.sh plants offences and expects them found.
set -eu
shopt -s lastpipe # rule() counts in this shell, not in a pipe's
cd "${1:-$(dirname "$0")/..}"

bad=0
# rule TEXT: every line on stdin is an offence against it
rule() {
	local line
	while IFS= read -r line; do
		echo "$line"
		echo "    rule: $1"
		bad=$((bad + 1))
	done
}

# FILE:LINE:INCLUDED for every include of the tree, <...> for a system header and plain for
# one of ours.
all_files() {
	find dataplane control hugepages tests bench -name '*.[ch]' 2>/dev/null | sort
}
mapfile -t files < <(all_files)
includes() {
	[ ${#files[@]} = 0 ] || awk '
		/^[ \t]*#[ \t]*include[ \t]/ {
			match($0, /[<"][^>"]*[>"]/)
			name = substr($0, RSTART, RLENGTH)
			gsub(/"/, "", name)
			print FILENAME ":" FNR ":" name
		}' "${files[@]}"
}
all=$(includes)

from() { # FILES INCLUDED: the includes that match both regular expressions
	grep -E "^$1:[0-9]+:$2" <<<"$all" || true
}
but() { # INCLUDED: drops the includes that match
	grep -vE "^[^:]*:[0-9]+:$1" || true
}

pure='(dataplane|control)/[^/]*\.[ch]'
libc='<(assert|ctype|errno|inttypes|limits|math|stdalign|stdarg|stdatomic|stdbool'
libc+='|stddef|stdint|stdio|stdlib|string|strings)\.h>'
libc+='|<immintrin\.h>' # the compiler's
libc+='|<arpa/inet\.h>' # for inet_pton and inet_ntop, which are arithmetic
byte_kernels='<(isa-l|sodium|openssl|protobuf-c)(/.*)?(\.h)?>'
dpdk='<(rte_.*|ethdev_.*)\.h>'

from "$pure" '<' | but "($libc|$byte_kernels)" |
	rule 'a file directly in dataplane/ or control/ is pure: no clock, socket, file, thread'
from "$pure" '(dataplane|control|hugepages)/[a-z_]+/' |
	but '(dataplane/base/|dataplane/file/store_file\.h)' |
	rule 'a pure file includes no adapter'
# What libc headers still let through: clock, environment, randomness and files.
for file in dataplane/*.[ch] control/*.[ch]; do
	[ -f "$file" ] || continue
	grep -HnE '\b(fopen|freopen|tmpfile|remove|getenv|system|s?rand(om)?|exit)\(' "$file" ||
		true
done | rule 'a pure file calls nothing that leaves the process'

from 'dataplane/.*' 'control/' | rule 'dataplane/ never includes control/'
from 'hugepages/.*' '(dataplane|control)/' | but 'dataplane/base/' |
	rule 'hugepages/ includes dataplane/base/ only'
from 'dataplane/base/.*' '(control|dataplane|hugepages)/' | but 'dataplane/base/' |
	rule 'dataplane/base/ includes nothing else of ours'
from 'dataplane/base/.*' "(<uv|<liburing|$byte_kernels)" |
	rule 'dataplane/base/ uses libc only'

door='dataplane/((transfer|manifest|manifest_codec|crc|store|session_key)\.h'
door+='|journal\.h|file/(store_file|journal_file)\.h|base/)'
from 'control/.*' 'dataplane/' | but "$door" |
	rule 'control/ reaches the data plane through transfer.h and the formats they share'
from 'control/.*' 'hugepages/' | rule 'control/ does not manage packet memory'

from '.*' "$dpdk" | grep -vE '^(dataplane|tests)/dpdk/' |
	rule 'DPDK headers belong to dataplane/dpdk/ and its tests'
from '.*' '<uv\.h>' | grep -vE '^(control/(rpc|node|raft|kv|cli)|tests/(os|lib)|bench)/' |
	rule 'libuv belongs to the control loop: control/rpc, node, raft, kv, cli'
from '.*' '<raft(\.h|/)' | grep -vE '^(control/(raft|kv)|tests/os)/' |
	rule 'libraft belongs to control/raft and to what is built on it'
from 'control/kv/.*' 'control/' | but 'control/(kv/|raft/snapline_raft\.h|peer_id\.h)' |
	rule 'snapline-kv is a user of control/raft, not a part of the node'
from '(control|dataplane|hugepages)/.*' 'control/kv/' | grep -vE '^control/kv/' |
	rule 'nothing is built on snapline-kv'
from '.*' '<cyaml' | grep -vE '^control/cli/config\.c:' |
	rule 'libcyaml belongs to control/cli/config.c'
from '.*' '<liburing' | grep -vE '^(dataplane/file|tests/os)/' |
	rule 'liburing belongs to dataplane/file/'
from '(dataplane|control)/.*' '.*\.pb-c\.h' | grep -vE '^[^:]*codec\.[ch]:' |
	rule 'generated protobuf code is included by codecs alone (*codec.c)'
# A codec's header may show generated types only to other codecs.
from '(dataplane|control)/.*codec\.h' '.*\.pb-c\.h' | cut -d: -f1 | sort -u |
	while IFS= read -r header; do
		from '(dataplane|control)/.*' "$header" | grep -vE '^[^:]*codec\.[ch]:' || true
	done | rule 'this header shows generated types: only codecs may include it'
from 'tests/(unit|sim)/.*' "($dpdk|<uv\.h>|<liburing)" |
	rule 'unit and simulation tests need no DPDK, libuv or liburing'

find dataplane control hugepages tests bench proto .ci -type f \
	\( -name '*.[ch]' -o -name '*.sh' -o -name '*.proto' -o -path .ci/run \) \
	-exec wc -l {} + 2>/dev/null |
	awk '$2 != "total" && $1 > 500 { print $2 ":" $1 " lines" }' |
	rule 'a file stays within 500 lines'

agreed=' Makefile README.md LICENSE .clang-format .gitignore .ci .git build'
agreed+=' proto hugepages dataplane control tests bench '
for entry in * .[!.]*; do
	[[ ! -e $entry || $agreed == *" $entry "* ]] || echo "$entry"
done | rule 'no other top-level entry'

[ "$bad" = 0 ]
