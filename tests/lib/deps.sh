#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# deps.sh PACKAGE...: installs the Debian packages that are missing, or says how to.
# Silent and quick when there is nothing to do, so that every make target may call it.
set -eu

missing=
for package in "$@"; do
	case $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true) in
	installed) ;;
	*) missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
	root=
elif sudo -n true 2>/dev/null; then
	root='sudo -n'
else
	echo "deps.sh: these Debian packages are missing; install them with:" >&2
	echo "  sudo apt-get install --no-install-recommends$missing" >&2
	exit 1
fi

# $root and $missing are lists of words.
# shellcheck disable=SC2086
apt() {
	$root env DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes \
		apt-get -qq -y \
		-o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}

echo "installing:$missing"
# The package lists may be absent (a fresh container) or too old: fetch them only then.
# shellcheck disable=SC2086
if apt-cache show $missing >/dev/null 2>&1 &&
	apt install --no-install-recommends $missing >/dev/null 2>&1; then
	exit 0
fi
apt update
# shellcheck disable=SC2086
if ! apt install --no-install-recommends $missing >/dev/null; then
	echo "deps.sh: apt-get could not install:$missing; Snapline needs Debian 12" >&2
	exit 1
fi
