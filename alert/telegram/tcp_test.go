package telegram

import (
	"context"
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/alert"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
	"github.com/caddy-proxypool/proxypool/internal/telegramtest"
)

// TestOverTLS sends, is refused, and sends again, over real connections.
func TestOverTLS(t *testing.T) {
	server := telegramtest.NewServer(t, telegramtest.TLS())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: proxytest.CAPool(), MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	w := &world{Server: server, transport: transport}
	chats := w.chats(t, Telegram{ChatID: "1 2 3 4", APIURL: server.URL()}) // a chat for each message, so that none waits

	if err := send(chats[0], "پروکسی 🚨"); err != nil {
		t.Fatal(err)
	}
	server.Refuse()
	transport.CloseIdleConnections()
	err := send(chats[1], "x")
	if err == nil || !strings.Contains(err.Error(), "refused") {
		t.Fatalf("error %v", err)
	}
	checkWords(t, err)
	if err := server.Reopen(); err != nil {
		t.Fatal(err)
	}
	if err := send(chats[2], "y"); err != nil {
		t.Fatal(err)
	}
	w.transport = &http.Transport{}
	untrusting := w.chats(t, Telegram{ChatID: "5", APIURL: server.URL()})[0]
	err = send(untrusting, "z")
	if err == nil || !strings.Contains(err.Error(), "certificate is not trusted") {
		t.Errorf("error %v", err)
	}
	if got := strings.Join(w.texts(), " "); got != "پروکسی 🚨 y" {
		t.Errorf("arrived: %s", got)
	}
}

// TestCommandOverTCP is asked and answered over real connections.
func TestCommandOverTCP(t *testing.T) {
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	w := &world{Server: telegramtest.NewServer(t), transport: transport}
	listen(t, w, Telegram{ChatID: "42"}, func(_ context.Context, c alert.Command) alert.Text {
		return alert.Text{HTML: "<b>" + c.Name + "</b>"}
	})
	w.Say("42", "/status@"+telegramtest.Username)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := w.Wait(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if got := w.texts(); len(got) != 1 || got[0] != "<b>status</b>" {
		t.Errorf("answered %q", got)
	}
}
