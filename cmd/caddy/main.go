// Command caddy is Caddy with proxypool compiled in.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-proxypool/proxypool"
)

func main() { caddycmd.Main() }
