#!/bin/sh
# Call a URL through the forward front with curl.
#
#   export HTTPS_PROXY=http://app:secret@127.0.0.1:3128
#   ./curl.sh https://example.com
#
# curl reads HTTPS_PROXY for https:// URLs. For http:// URLs it reads http_proxy in
# small letters alone: in a CGI program a client could set HTTP_PROXY. A URL after
# the first one is the proxy, which wins over both: curl --proxy.
#
# Prints the body, then the status. Exits with curl's code where the call failed
# (56: the front refused the tunnel), or with 22 where the answer is an error.
set -eu

if [ $# -lt 1 ]; then
	echo "usage: $0 <url> [<proxy>]" >&2
	exit 2
fi

# --connect-timeout holds for the whole way to the target: the front may try
# several proxies in it.
set -- --silent --show-error --fail-with-body \
	--connect-timeout 30 --max-time 90 \
	--write-out '\n%{http_code}\n' \
	${2:+--proxy "$2"} -- "$1"
exec curl "$@"
