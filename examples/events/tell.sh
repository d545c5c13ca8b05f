#!/bin/sh
# Called by Caddy with what happened, up or down, and the name of the pool. What
# stands here is an example: wake somebody, switch a route, call a runbook.
set -eu
what=$1 pool=$2
printf '%s pool %s is %s\n' "$(date -u +%FT%TZ)" "$pool" "$what" >>"${PROXYPOOL_EVENTS:-/var/log/proxypool-events.log}"
