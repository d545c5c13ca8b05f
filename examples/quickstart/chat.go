package main

import (
	"context"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"

	"github.com/caddy-proxypool/proxypool/internal/telegramtest"
)

// maxSaid is how much a message to the bot may have.
const maxSaid = 4096

// chat is the stand-in for the Bot API that alerts go to, and for the admin's
// phone: it prints what arrives.
type chat struct {
	id     string
	server *telegramtest.Server
}

// openChat starts the stand-in where the Caddyfile's alerts go.
func openChat(s *telegramSettings) (*chat, error) {
	ln, err := net.Listen("tcp", s.addr)
	if err != nil {
		return nil, inUse(s.addr, err)
	}
	server, err := telegramtest.Start(telegramtest.On(ln))
	return &chat{s.chat, server}, err
}

// show prints messages as they arrive, until ctx ends.
func (c *chat) show(ctx context.Context) {
	for n := 0; ; n++ {
		messages, err := c.server.Wait(ctx, n+1)
		if err != nil {
			return
		}
		fmt.Println(shown(messages[n].Text))
	}
}

// tags are those that the texts have.
var tags = regexp.MustCompile(`</?(b|i|code)>`)

// shown is a message as it looks in a terminal.
func shown(text string) string {
	lines := strings.Split(strings.TrimRight(html.UnescapeString(tags.ReplaceAllString(text, "")), "\n"), "\n")
	return "          ┌ Telegram\n          │ " + strings.Join(lines, "\n          │ ")
}

// say is the admin writing to the bot.
func (c *chat) say(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(io.LimitReader(r.Body, maxSaid))
	if err != nil || len(text) == 0 {
		http.Error(w, "expected a message, such as /status", http.StatusBadRequest)
		return
	}
	c.server.Say(c.id, string(text))
	fmt.Fprintln(w, "sent to the bot")
}
