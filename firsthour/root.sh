#!/usr/bin/env bash
# Makes a root with nothing in it but a minimal Debian and what the README says is
# needed: Go, make and curl (and openssl, which one command is of). In it, with
# no network but loopback, firsthour follows the pages that are named.
#
# The root and what Go compiled in it are kept in .build/first-hour, so that a
# second run is quick. Go's modules are those of this machine, read-only.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$PWD/.build/first-hour
packages=make,curl,openssl

# What is missing is told, and fails where nothing may be left out.
lacks() {
	echo "make first-hour is left out: $*"
	[ -z "${E2E_REQUIRE:-}" ] || exit 1
	exit 0
}

[ "$(id -u)" = 0 ] || lacks "it needs root, for a root of its own"
for program in debootstrap:debootstrap unshare:util-linux chroot:coreutils ip:iproute2; do
	command -v "${program%:*}" >/dev/null || lacks "${program%:*} is missing (Debian's package ${program#*:})"
done
unshare --mount --pid --net --fork true 2>/dev/null || lacks "namespaces cannot be made here"

# The archive is the one that this machine is installed from.
make_root() {
	local site
	site=$(apt-get indextargets --format '$(LABEL)|$(SITE)' 'Created-By: Packages' | sed -n '/^Debian|/{s/^Debian|//p;q}')
	rm -rf "$dir/root" "$dir/root.new"
	debootstrap --variant=minbase --include="$packages" "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$dir/root.new" "$site" >"$dir/debootstrap.log" ||
		{ tail -n 20 "$dir/debootstrap.log" >&2 && exit 1; }
	mv "$dir/root.new" "$dir/root"
}

mkdir -p "$dir/bin" "$dir/compiled"
[ -d "$dir/root" ] || make_root
CGO_ENABLED=0 go build -o "$dir/bin/firsthour" ./firsthour
CGO_ENABLED=0 go build -C internal/tools -o "$dir/bin/" github.com/caddyserver/xcaddy/cmd/xcaddy
go mod download

# A copy, which is as fresh as the first one.
work=$(mktemp -d "$dir/work.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
cp -a "$dir/root/." "$work"
mkdir -p "$work"/{usr/local/go,go-modules,root/.cache/go-build,proxypool}
git ls-files -z --cached --others --exclude-standard | tar c --null -T - | tar x -C "$work/proxypool"
cp "$dir/bin/"* "$work/usr/local/bin/"
printf '127.0.0.1 localhost\n::1 localhost\n' >"$work/etc/hosts" # which an installer writes
: >"$work/etc/resolv.conf"

# What is mounted in there ends with it, and so does all that runs.
GOROOT=$(go env GOROOT) MODULES=$(go env GOMODCACHE) WORK=$work COMPILED=$dir/compiled \
	unshare --mount --pid --net --fork --kill-child bash -euc '
	mount --bind -o ro "$GOROOT" "$WORK/usr/local/go"
	mount --bind -o ro "$MODULES" "$WORK/go-modules"
	mount --bind "$COMPILED" "$WORK/root/.cache/go-build"
	mount -t proc proc "$WORK/proc"
	mkdir -p "$WORK/dev/pts"
	mount -t devpts -o newinstance,ptmxmode=0666 devpts "$WORK/dev/pts"
	rm -f "$WORK/dev/ptmx" && ln -s pts/ptmx "$WORK/dev/ptmx"
	ip link set lo up
	exec env -i -C "$WORK" HOME=/root LANG=C.UTF-8 TERM=xterm \
		PATH=/proxypool:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		GOMODCACHE=/go-modules GOPROXY=off GOSUMDB=off GOFLAGS=-trimpath GOTOOLCHAIN=local \
		chroot "$WORK" bash -c "cd /proxypool && exec firsthour \"\$@\"" firsthour "$@"
' first-hour "$@"
