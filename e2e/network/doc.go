// Package network runs the real program over networks as they are: far away,
// lossy, narrow, silent, flapping, and with a middle that forgets or swallows.
//
// The tests run in a network namespace of their own, and each proxy in another
// one. Between them are wires: pairs of TUN devices, with a few goroutines that
// carry the packets and do to them what a bad network does, by a seed and with
// what happened counted. All of it vanishes with the process. The kernel's own
// netem would do for half of that, but not every kernel has it, and Debian 12's
// tc cannot seed it.
package network
