#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# control/README.md names the tests that prove what it says: they exist.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
readme=$here/../../control/README.md
missing=0 known=0 file=''
# `folder/file: test` sets the file; `test` alone, within an answer or a row, is of the
# same file.
while IFS= read -r word; do
	name=${word##*: }
	[ "$word" = "$name" ] || file=$here/../${word%%: *}.c
	if grep -qF "static void $name(" "$file"; then
		known=$((known + 1))
	else
		echo "control/README.md names '$word', which $file does not have"
		missing=$((missing + 1))
	fi
done < <(sed -n '/^## Answers/,$p' "$readme" | tr '\n`' ' @' |
	grep -oE '@(unit|os|sim|dpdk)/[a-z0-9_]+: *[A-Za-z0-9_]+@(, *@[A-Za-z0-9_]+@)*' |
	sed 's/@, *@/\n/g; s/@//g' | sed 's/: */: /')
echo "$known tests are named and exist"
[ "$missing" = 0 ] && [ "$known" -gt 50 ]
