package main

import (
	"io"
	"net"
)

// endTarget is a target that the proxies serve themselves, so that what is
// measured is the way to them and not what they do. Its name exists nowhere: a
// front that leaves names to the proxy reaches it.
const endTarget = "end.bench:80"

// What the first byte in a tunnel to endTarget asks for.
const (
	endSource = 'd' // bytes for ever
	endSink   = 'u' // to be read from for ever
	endEcho   = 'e' // everything back, this byte included
)

// serveEnd ends with the connection, which it leaves to be closed.
func serveEnd(conn net.Conn) {
	if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	first := make([]byte, 1)
	if _, err := io.ReadFull(conn, first); err != nil {
		return
	}
	switch first[0] {
	case endSource:
		buf := make([]byte, chunk)
		for {
			if _, err := conn.Write(buf); err != nil {
				return
			}
		}
	case endSink:
		buf := make([]byte, chunk)
		for {
			if _, err := conn.Read(buf); err != nil {
				return
			}
		}
	case endEcho:
		buf := append(make([]byte, 0, 1<<10), first...)
		for {
			if _, err := conn.Write(buf); err != nil {
				return
			}
			n, err := conn.Read(buf[:cap(buf)])
			if err != nil {
				return
			}
			buf = buf[:n]
		}
	}
}
