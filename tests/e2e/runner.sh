#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# tests/run.sh counts what happened: a test that crashes, hangs or was never built is a
# failure, a skip has its reason, and nothing survives its test.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"

mkdir -p "$dir/tests/unit" "$dir/tests/e2e" "$dir/build/tests/unit"
cp "$here/../run.sh" "$dir/tests"
cd "$dir"

plant() { # NAME SCRIPT
	touch "tests/unit/$1.c"
	printf '#!/bin/bash\n%s\n' "$2" >"build/tests/unit/$1"
	chmod +x "build/tests/unit/$1"
}
line() { # REGULAR_EXPRESSION
	grep -qE "^$1" out || {
		cat out >&2
		fail "run.sh does not print: $1"
	}
}
run() { # CODE ARGUMENT...
	local want=$1 status=0
	shift
	TEST_LIMIT=1 tests/run.sh build "$@" >out 2>&1 || status=$?
	[ "$status" = "$want" ] || fail "run.sh exits $status, not $want"
}

plant good 'exit 0'
plant skipped 'echo reading; echo "no /dev/kvm"; exit 77'
plant leaves-one-behind "sleep 300 & echo \$! >$dir/left; exit 0"
run 0
line 'pass  unit/good +[0-9]+\.[0-9]+ s$'
line 'skip  unit/skipped .* no /dev/kvm$'
line '2 passed, 0 failed, 1 skipped$'
wait_for 5 is_gone "$(cat left)" || fail 'a process outlived its test'

run 0 unit/good
line '1 passed, 0 failed$'

plant measures 'echo noise; echo "table: fault  seeds"; echo "table: none      3"'
run 0 unit/measures
line '      fault  seeds$'
line '      none      3$'
! grep -q noise out || fail 'run.sh prints more of a passed test than its table'
rm tests/unit/measures.c

plant bad 'echo the whole; echo log; exit 3'
plant crashed 'kill -SEGV $$'
plant hung "sleep 300 & echo \$! >$dir/left; mktemp >$dir/file; wait"
touch tests/unit/never-built.c
echo 'int main;' >build/tests/unit/source-is-gone
run 1
line 'FAIL  unit/bad .* exit 3$'
line '    \| the whole$'
line '    \| log$'
line 'FAIL  unit/crashed .* signal SEGV$'
line 'FAIL  unit/hung .* still running at its time limit$'
line 'FAIL  unit/never-built .* exit 127$'
[ "$(tail -n 1 out)" = '2 passed, 4 failed, 1 skipped' ] ||
	fail "the last line is: $(tail -n 1 out)"
wait_for 5 is_gone "$(cat left)" || fail 'a process outlived its hung test'
[ ! -e "$(cat file)" ] || fail 'a file outlived its hung test'

# Proving nothing is no success.
run 1 unit/no-such-test
line '0 passed, 0 failed$'
run 1 unit/skipped
line '0 passed, 0 failed, 1 skipped$'
