#!/bin/sh
# Fetches uPlot, which draws the plots of the dashboard, and puts what the page
# needs of it into assets/vendor/uplot, as it is. To take another version: change
# the two lines below; `npm view uplot@<version> dist.integrity` says the second.
set -eu

version=1.6.32
integrity=sha512-KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==

into=$(cd "$(dirname "$0")" && pwd)/assets/vendor/uplot
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm pack --silent "uplot@$version" >/dev/null
found=sha512-$(openssl dgst -sha512 -binary "uplot-$version.tgz" | base64 | tr -d '\n')
if [ "$found" != "$integrity" ]; then
	echo "uplot $version is $found, expected $integrity" >&2
	exit 1
fi
tar -xzf "uplot-$version.tgz"
mkdir -p "$into"
cp package/dist/uPlot.esm.js package/dist/uPlot.min.css "$into/"
cp package/LICENSE "$into/LICENSE.txt"
cd "$into"
sha256sum LICENSE.txt uPlot.esm.js uPlot.min.css >SHA256SUMS.txt
echo "uplot $version is in $into"
