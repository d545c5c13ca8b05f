// Package proxypool puts a cost-ordered pool of upstream forward proxies behind Caddy.
package proxypool
