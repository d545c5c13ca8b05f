package dial

import (
	"bytes"
	"io"
)

// maxConnectHead bounds what a proxy may say before its tunnel stands, interim
// answers included.
const maxConnectHead = 64 << 10

// usualConnectHead is more than most proxies say.
const usualConnectHead = 512

// connect asks an HTTP proxy for a tunnel (RFC 9110, 9.3.6) and returns what
// the target had said already by the time the answer was read.
func connect(conn io.ReadWriter, target hostPort, auth, via string) (rest []byte, err error) {
	addr := target.String()
	var req bytes.Buffer
	req.WriteString("CONNECT " + addr + " HTTP/1.1\r\nHost: " + addr + "\r\n")
	if auth != "" {
		req.WriteString("Proxy-Authorization: " + auth + "\r\n")
	}
	if via != "" {
		req.WriteString("Via: " + via + "\r\n")
	}
	req.WriteString("\r\n")
	if _, err := conn.Write(req.Bytes()); err != nil {
		return nil, err
	}
	status, rest, err := readConnectAnswer(conn)
	if err != nil {
		return nil, err
	}
	if status < 200 || status > 299 {
		return nil, refused(status)
	}
	return rest, nil
}

// readConnectAnswer reads the head of the final answer to CONNECT and returns
// its status and what was read past it. The fields are not looked at: on 2xx a
// length or a transfer coding has no meaning, and of any other answer only the
// status is used.
func readConnectAnswer(r io.Reader) (status int, rest []byte, err error) {
	buf := make([]byte, 0, usualConnectHead)
	begin, searched := 0, 0 // of the present head; where its end is looked for
	for {
		if end := headEnd(buf, searched); end > 0 {
			status, err := parseStatusLine(buf[begin:end])
			if err != nil {
				return 0, nil, err
			}
			if status >= 200 || status == 101 {
				return status, bytes.Clone(buf[end:]), nil
			}
			begin, searched = end, end
			continue
		}
		if !mayBeStatusLine(buf[begin:]) {
			return 0, nil, nonsense("answer is not HTTP")
		}
		if len(buf) >= maxConnectHead {
			return 0, nil, nonsense("endless header (over %d bytes)", maxConnectHead)
		}
		// The end of a head may straddle two reads.
		searched = max(begin, len(buf)-3)
		if len(buf) == cap(buf) {
			buf = append(make([]byte, 0, min(2*cap(buf), maxConnectHead)), buf...)
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if n == 0 && err != nil {
			return 0, nil, err
		}
	}
}

// headEnd finds the first byte behind the empty line that ends a head; 0 where
// there is none yet. A bare line feed ends a line, too (RFC 9112, 2.2).
func headEnd(buf []byte, from int) int {
	for i := from; i < len(buf); i++ {
		if buf[i] != '\n' {
			continue
		}
		switch tail := buf[i+1:]; {
		case len(tail) > 0 && tail[0] == '\n':
			return i + 2
		case len(tail) > 1 && tail[0] == '\r' && tail[1] == '\n':
			return i + 3
		}
	}
	return 0
}

const httpName = "HTTP/"

// mayBeStatusLine tells garbage from an answer that is still coming in, so that
// nobody waits for the end of what will never be one.
func mayBeStatusLine(buf []byte) bool {
	n := min(len(buf), len(httpName))
	return string(buf[:n]) == httpName[:n]
}

// parseStatusLine takes the status from "HTTP/1.1 200 OK".
func parseStatusLine(head []byte) (int, error) {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	version, rest, ok := bytes.Cut(line, []byte(" "))
	if !ok || !mayBeStatusLine(version) || len(version) <= len(httpName) {
		return 0, nonsense("malformed status line")
	}
	code, _, _ := bytes.Cut(rest, []byte(" "))
	if len(code) != 3 {
		return 0, nonsense("malformed status line")
	}
	status := 0
	for _, c := range code {
		if c < '0' || c > '9' {
			return 0, nonsense("malformed status line")
		}
		status = 10*status + int(c-'0')
	}
	if status < 100 {
		return 0, nonsense("malformed status line")
	}
	return status, nil
}
