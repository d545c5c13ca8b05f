// Package pool is the domain: a cost-ordered set of upstream forward proxies,
// what is known about each of them, and how one request finds its way out
// through the cheapest that works.
//
// The words, one per thing. A proxy is one upstream forward proxy and a pool an
// ordered set of them. A target is the host and port that a request is for, and
// a route one proxy to one target. An attempt is one try of a request through
// one proxy; the next one, through another proxy, is a failover. A check looks
// after a proxy's health from outside, a probe tests one route. Metered means
// that a proxy is billed by the gigabyte; the others are free.
//
// Configuration and state are kept apart. [Pool] and [Proxy] are one
// configuration's view and never change; [State] and what hangs on it outlives
// reloads, so that two configurations that overlap see the same health,
// counters and standing connections.
//
// The request path is in forward.go and reads from top to bottom. It takes no
// lock that all requests share: what is common to them is atomic, and the
// mutexes of a proxy or a route are for changes of state and for connects.
package pool
