package telegram

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/go-telegram/bot"

	"github.com/caddy-proxypool/proxypool/alert"
)

// Telegram sends alerts to chats on Telegram, through a bot of one's own. Where
// the token or the chat is missing, it warns when Caddy starts and sends nothing.
type Telegram struct {
	// The bot's token, which @BotFather gives out. Takes placeholders such as
	// {env.*} and {file.*}; one that is unset counts as missing.
	Token string `json:"token,omitempty"`

	// The chats that alerts are sent to, separated by spaces or commas: numbers,
	// negative ones for groups, or @names of public groups and channels. Takes
	// placeholders, as the token does.
	ChatID string `json:"chat_id,omitempty"`

	// The topic that messages go to in a group with topics, in all the chats.
	// Default: none. Where the topic is gone, messages go to the group itself.
	MessageThreadID int `json:"message_thread_id,omitempty"`

	// The ways to Telegram, tried in this order: "direct" or names of pools.
	// Default: directly, then through every pool.
	Via []string `json:"via,omitempty"`

	// Where the Bot API is. Default: https://api.telegram.org.
	APIURL string `json:"api_url,omitempty"`

	// Whether the bot answers commands, such as /status, that are sent to it in
	// the chats above. Everybody who can write there can use them, also those
	// that take a proxy out of use. Nothing else may poll the same bot. Default:
	// false.
	Commands bool `json:"commands,omitempty"`
}

// Destinations are the chats. It opens no connection.
func (t *Telegram) Destinations(env *alert.Env) ([]alert.Destination, error) {
	if t.Token == "" || strings.TrimSpace(t.ChatID) == "" {
		env.Warn(t.missing())
		return nil, nil
	}
	ids, err := parseChats(t.ChatID)
	if err != nil {
		return nil, err
	}
	account, err := t.account(env)
	if err != nil {
		return nil, err
	}
	chats := make([]*chat, len(ids))
	destinations := make([]alert.Destination, len(ids))
	for i, id := range ids {
		chats[i] = &chat{
			account: account, id: id, thread: t.MessageThreadID, pace: newPace(id.gap()),
			render: func(a *alert.Alert) alert.Text { return env.Language.Message(a, env.Location) },
		}
		destinations[i] = chats[i]
	}
	if !t.Commands {
		return destinations, nil
	}
	transport, err := env.Transport(t.Via, pollPatience)
	if err != nil {
		return nil, fmt.Errorf("telegram: via: %w", err)
	}
	// The bot has one queue of messages, whatever chat they come from.
	destinations[0] = &poller{
		chat: chats[0], chats: chats,
		updates: account.client(transport, pollTime),
		answer: func(ctx context.Context, c alert.Command) alert.Text {
			return env.Language.Run(ctx, env.Console, c)
		},
	}
	return destinations, nil
}

// missing says what there is none of.
func (t *Telegram) missing() string {
	const token = "token (@BotFather gives one out)"
	const chat = "chat_id (the number of the chat, or the @name of a public one)"
	switch {
	case t.Token != "":
		return "telegram: no chat_id is set, no alerts are sent to Telegram: set " + chat
	case strings.TrimSpace(t.ChatID) != "":
		return "telegram: no token is set, no alerts are sent to Telegram: set " + token
	default:
		return "telegram: no token and no chat_id are set, no alerts are sent to Telegram: set " + token + " and " + chat
	}
}

// account is the bot.
func (t *Telegram) account(env *alert.Env) (*account, error) {
	a := &account{token: t.Token, url: defaultURL}
	if t.APIURL != "" {
		u, err := parseURL(t.APIURL)
		if err != nil {
			return nil, err
		}
		a.url = u
	}
	transport, err := env.Transport(t.Via, sendPatience)
	if err != nil {
		return nil, fmt.Errorf("telegram: via: %w", err)
	}
	a.messages = a.client(transport, sendTime)
	if !tokenForm.MatchString(a.token) {
		env.Warn("telegram: no alerts will arrive: " + errMalformedToken.Error())
		return a, nil
	}
	a.bot, err = a.newBot(bot.WithHTTPClient(pollTimeout, a.messages))
	return a, err
}

// account is a bot at a Bot API. It is safe for concurrent use.
type account struct {
	token, url string
	messages   *client
	bot        *bot.Bot // nil where the token is malformed
}

// tokenForm is what a token looks like. Anything else could change the path of
// a URL that it is put into.
var tokenForm = regexp.MustCompile(`^[0-9]+:[A-Za-z0-9_-]+$`)

// newBot makes one for a token that is well-formed.
func (a *account) newBot(options ...bot.Option) (*bot.Bot, error) {
	options = append(options, bot.WithSkipGetMe(), bot.WithServerURL(a.url),
		// What fails is known from the calls themselves; the library would
		// print it.
		bot.WithErrorsHandler(func(error) {}))
	b, err := bot.New(a.token, options...)
	if err != nil {
		return nil, errMalformedToken // the only thing that it can object to
	}
	return b, nil
}
