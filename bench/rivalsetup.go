package main

import (
	"context"
	"fmt"
	"net"
	"strings"
)

// rivals are those that can be had here, the module first.
var rivals = []rival{
	{"proxy_pool", false, asCaddy(func(r *rig, s *scene) site {
		return site{pool: r.poolOf("https://"+s.origin.addr()+checkPath, s.addrs()...), body: "proxy_pool https://" + s.origin.addr() + "\n"}
	})},
	{"Caddy, one `network_proxy`", false, asCaddy(func(r *rig, s *scene) site {
		return r.reverseProxy(s.origin.addr(), s.proxies[0].addr, "")
	})},
	{"Caddy, `handle_errors`", false, asCaddy(errorChain)},
	{"Caddy, a loopback site for each proxy", false, startLoopbackSites},
	{ourFront, true, asCaddy(func(r *rig, s *scene) site {
		return forwardSite(r.poolOf("https://"+s.origin.addr()+checkPath, s.addrs()...))
	})},
	{"squid", true, asTool(squidPeers)},
	{"haproxy", true, asTool(haproxyServers)},
}

func asCaddy(siteFor func(*rig, *scene) site) func(context.Context, *rig, *scene) (string, func(), error) {
	return func(ctx context.Context, r *rig, s *scene) (string, func(), error) {
		c, err := r.startCaddy(ctx, r.caddy, siteFor(r, s))
		if err != nil {
			return "", nil, err
		}
		return c.front, c.stop, nil
	}
}

// through is Caddy's reverse_proxy through one proxy.
func (r *rig) through(s *scene, i int) string {
	return r.reverseProxy(s.origin.addr(), s.proxies[i].addr, "").body
}

// errorChain tries the second proxy where the first one fails. There is no third:
// errors of an error route are not handled.
func errorChain(r *rig, s *scene) site {
	return site{body: r.through(s, 0) + "handle_errors {\n" + indent(r.through(s, 1), 1) + "}\n"}
}

func startLoopbackSites(ctx context.Context, r *rig, s *scene) (addr string, stop func(), err error) {
	addrs, err := freeAddrs(len(s.proxies))
	if err != nil {
		return "", nil, err
	}
	return asCaddy(func(r *rig, s *scene) site { return loopbackSites(r, s, addrs) })(ctx, r, s)
}

// loopbackSites has a site for each proxy, which drops the connection when its
// proxy fails, so that reverse_proxy in front of them takes the next.
func loopbackSites(r *rig, s *scene, addrs []string) site {
	var more strings.Builder
	for i, addr := range addrs {
		host, port, _ := net.SplitHostPort(addr)
		fmt.Fprintf(&more, "\n:%s {\n\tbind %s\n%s\thandle_errors {\n\t\tabort\n\t}\n}\n", port, host, indent(r.through(s, i), 1))
	}
	return site{more: more.String(), body: `reverse_proxy ` + strings.Join(addrs, " ") + ` {
	lb_policy first
	lb_retries 4
	lb_retry_match {
		method GET POST
	}
	fail_duration 10s
	request_buffers 1MiB
	transport http {
		response_header_timeout 3s
		keepalive_idle_conns_per_host 1024
	}
}
`}
}

// asTool starts a program that takes CONNECT; peers writes the lines of its
// configuration that name the proxies.
func asTool(of func(proxies []string) tool) func(context.Context, *rig, *scene) (string, func(), error) {
	return func(ctx context.Context, r *rig, s *scene) (string, func(), error) {
		t := of(s.addrs())
		f, err := r.startTool(ctx, t, t.name, "")
		if err != nil {
			return "", nil, err
		}
		return f.addr, f.stop, nil
	}
}

// squidPeers are parents in their order.
func squidPeers(proxies []string) tool {
	t := tools[0]
	var peers strings.Builder
	for i, proxy := range proxies {
		host, port, _ := net.SplitHostPort(proxy)
		fmt.Fprintf(&peers, "cache_peer %s parent %s 0 no-query no-digest default name=p%d connect-timeout=3\n", host, port, i+1)
	}
	t.config = strings.Replace(t.config, "cache_peer UPHOST parent UPPORT 0 no-query no-digest default\n", peers.String(), 1)
	return t
}

// haproxyServers are used in their order, and taken out for failed connects as
// well as for failed checks.
func haproxyServers(proxies []string) tool {
	t := tools[1]
	var servers strings.Builder
	servers.WriteString("\tbalance first\n\toption redispatch 1\n\tretries 3\n" +
		"\tdefault-server check inter 1s fall 2 rise 2 observe layer4 error-limit 3 on-error mark-down on-marked-down shutdown-sessions\n")
	for i, proxy := range proxies {
		fmt.Fprintf(&servers, "\tserver p%d %s\n", i+1, proxy)
	}
	t.config = strings.Replace(t.config, "\tserver upstream UPHOST:UPPORT\n", servers.String(), 1)
	return t
}
