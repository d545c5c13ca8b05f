package proxypool

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
)

// answerAll answers whatever connects with the same bytes, and returns where.
func answerAll(t *testing.T, answer string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = conn.Write([]byte(answer))
			}
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

func okWith(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// TestCommandSteeredByNobody: what listens where Caddy was expected must not
// write to the terminal what moves its cursor or sets its title.
func TestCommandSteeredByNobody(t *testing.T) {
	const escape = `\u001b]0;owned\u0007\u009b2J`
	for args, answer := range map[string]string{
		"status":      "HTTP/1.1 500 \x1b]0;owned\x07\r\nContent-Length: 0\r\n\r\n",
		"events":      "HTTP/1.1 500 No\r\nContent-Length: 70\r\n\r\n" + fmt.Sprintf("%-70s", `{"error":"`+escape+`"}`),
		"alerts test": okWith(`{"results":[{"notifier":"` + escape + `","ok":false}]}`),
		"disable VPS": okWith(`{"pools":[],"proxies":[{"pool":"a","name":"VPS","id":"` + escape + `"},{"pool":"b","name":"VPS","id":"b/VPS"}]}`),
	} {
		t.Run(args, func(t *testing.T) {
			came := enter(t.Context(), new(safeBuffer), append(strings.Fields(args), "--address", answerAll(t, answer))...)
			if came.code != 1 || came.errors == "" || strings.ContainsAny(came.out+came.errors, "\x1b\x07\u009b") {
				t.Errorf("ended with %d: %q %q", came.code, came.out, came.errors)
			}
		})
	}
}

// TestCommandExitWithAnotherServer: JSON that lacks what Caddy always says is no
// sign that all is well.
func TestCommandExitWithAnotherServer(t *testing.T) {
	for _, body := range []string{"null", "{}", `{"status":"ok"}`} {
		address := answerAll(t, okWith(body))
		for _, args := range everyCommand {
			if strings.HasPrefix(args, "active") && body == "{}" {
				continue // says that there is no proxy to hand out
			}
			for _, more := range []string{"", " --json"} {
				came := enter(t.Context(), new(safeBuffer), append(strings.Fields(args+more), "--address", address)...)
				if came.code != 1 || came.out != "" || !strings.Contains(came.errors, address) {
					t.Errorf("%s%s of %s ended with %d: %s%s", args, more, body, came.code, came.out, came.errors)
				}
			}
		}
	}
}
