package telegram

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const defaultURL = "https://api.telegram.org"

// direct is the way that goes through no pool.
const direct = "direct"

// validate reports the first mistake in the configuration. What holds a
// placeholder is taken to be right.
func (t *Telegram) validate() error {
	if t.MessageThreadID < 0 {
		return fmt.Errorf("telegram: message_thread_id: expected a number above 0, got %d", t.MessageThreadID)
	}
	if err := checkWays(t.Via); err != nil {
		return err
	}
	if t.APIURL != "" && !holdsPlaceholder(t.APIURL) {
		if _, err := parseURL(t.APIURL); err != nil {
			return err
		}
	}
	if holdsPlaceholder(t.ChatID) {
		return nil
	}
	_, err := parseChats(t.ChatID)
	return err
}

func holdsPlaceholder(s string) bool { return strings.Contains(s, "{") }

var poolName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// checkWays leaves it to others whether the pools exist.
func checkWays(ways []string) error {
	seen := make(map[string]bool, len(ways))
	for _, way := range ways {
		switch {
		case holdsPlaceholder(way):
			continue
		case !poolName.MatchString(way):
			return fmt.Errorf("telegram: via: expected %s or the name of a pool, got %s", direct, quote(way))
		case seen[way]:
			return fmt.Errorf("telegram: via: %s is given twice", way)
		}
		seen[way] = true
	}
	return nil
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?$`)

// parseURL reads the URL of a Bot API, to which "/bot<token>/<method>" can be
// appended. No error shows it, because it may hold a password or a token.
func parseURL(raw string) (string, error) {
	expected := func(what string) (string, error) {
		return "", fmt.Errorf("telegram: api_url: expected %s, as in %s", what, defaultURL)
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Opaque != "":
		return expected("a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return expected("a URL that begins with http:// or https://")
	case u.User != nil:
		return expected("a URL without user name and password")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(raw, "#"):
		return expected("a URL without query and fragment")
	case !isHost(u):
		return expected("a host, and a port where it is not the usual one")
	case strings.Contains(strings.ToLower(u.Path), "/bot"):
		return expected(`a URL that ends before "/bot" and the token`)
	}
	return strings.TrimRight(u.String(), "/"), nil
}

func isHost(u *url.URL) bool {
	host := u.Hostname()
	if _, err := netip.ParseAddr(host); err != nil && !hostName.MatchString(host) {
		return false
	}
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0
}

// chatID is a chat's number, or its name in lower case without "@".
type chatID struct {
	number int64
	name   string
}

var chatName = regexp.MustCompile(`^@[A-Za-z0-9_]{4,32}$`)

// parseChats reads chats that are separated by spaces or commas.
func parseChats(list string) ([]chatID, error) {
	var ids []chatID
	seen := make(map[chatID]bool)
	for _, word := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		id, err := parseChat(word)
		if err != nil {
			return nil, err
		}
		if seen[id] {
			return nil, fmt.Errorf("telegram: chat_id: %s is given twice", id)
		}
		seen[id] = true
		ids = append(ids, id)
	}
	return ids, nil
}

func parseChat(word string) (chatID, error) {
	if chatName.MatchString(word) {
		return chatID{name: strings.ToLower(word[1:])}, nil
	}
	if number, err := strconv.ParseInt(word, 10, 64); err == nil && number != 0 {
		return chatID{number: number}, nil
	}
	const expected = "telegram: chat_id: expected a number such as -1001234567890 or a @name of 4 to 32 letters, digits or _"
	if strings.Contains(word, ":") {
		return chatID{}, errors.New(expected + ", got what may be a token (not shown)")
	}
	return chatID{}, fmt.Errorf("%s, got %s", expected, quote(word))
}

func (id chatID) String() string {
	if id.name != "" {
		return "@" + id.name
	}
	return strconv.FormatInt(id.number, 10)
}

// param is how the API takes it.
func (id chatID) param() any {
	if id.name != "" {
		return id.String()
	}
	return id.number
}

// gap is how far apart messages must be: Telegram takes one a second in a chat,
// and 20 a minute in a group (core.telegram.org/bots/faq, "My bot is hitting
// limits"). Names are those of groups and channels.
func (id chatID) gap() time.Duration {
	if id.number > 0 {
		return time.Second
	}
	return 3 * time.Second
}

// quote is a wrong word as errors show it.
func quote(word string) string {
	const most = 64
	if len(word) > most {
		return strconv.Quote(word[:most]) + "..."
	}
	return strconv.Quote(word)
}
