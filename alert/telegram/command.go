package telegram

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"github.com/caddy-proxypool/proxypool/alert"
)

const (
	// maxAge is for commands that nobody answered when they were sent: who sent
	// them waits for no answer any more, and may have acted otherwise.
	maxAge = 10 * time.Minute

	// commandTime is for carrying out one command.
	commandTime = time.Minute

	// answerTries is how often a part of an answer is sent, where Telegram asks
	// to wait at most longestWait.
	answerTries = 3
	longestWait = time.Minute
)

// known are the commands that there are.
var known = []string{"status", "usage", "check", "explain", "enable", "disable", "help", "start"}

// commands understands what is written to the bot.
type commands struct {
	*poller
	botName string
}

// handle answers one message. Whoever writes elsewhere than in the configured
// chats learns nothing, not even that there is a bot.
func (c *commands) handle(ctx context.Context, _ *bot.Bot, update *models.Update) {
	message := update.Message
	if message == nil || time.Since(time.Unix(int64(message.Date), 0)) > maxAge {
		return
	}
	chat := c.chatOf(&message.Chat)
	if chat == nil {
		return
	}
	command, ok := c.parse(message.Text)
	if !ok {
		return
	}
	if !slices.Contains(known, command.Name) && message.Chat.Type != models.ChatTypePrivate {
		return // in a group it may be another bot's
	}
	chat.reply(ctx, message, c.carryOut(ctx, command))
}

func (c *commands) carryOut(ctx context.Context, command alert.Command) alert.Text {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	return c.answer(ctx, command)
}

func (c *commands) chatOf(from *models.Chat) *chat {
	for _, chat := range c.chats {
		if chat.id.name == "" && chat.id.number == from.ID {
			return chat
		}
		if chat.id.name != "" && strings.EqualFold(chat.id.name, from.Username) {
			return chat
		}
	}
	return nil
}

var commandForm = regexp.MustCompile(`(?s)^/([A-Za-z0-9_]{1,32})(?:@([A-Za-z0-9_]{1,64}))?(?:\s+(.*))?$`)

// parse reads "/name@bot argument". It is not ok where the text is no command, or
// one for another bot.
func (c *commands) parse(text string) (command alert.Command, ok bool) {
	parts := commandForm.FindStringSubmatch(text)
	if len(parts) == 0 {
		return alert.Command{}, false
	}
	name, botName, arg := parts[1], parts[2], parts[3]
	if botName != "" && !strings.EqualFold(botName, c.botName) {
		return alert.Command{}, false
	}
	return alert.Command{Name: strings.ToLower(name), Arg: strings.TrimSpace(arg)}, true
}

// reply sends an answer where the command came from. Where that fails nobody is
// told: who asked sees it, and alerts to the same chat fail with the same reason.
func (c *chat) reply(ctx context.Context, to *models.Message, text alert.Text) {
	params := bot.SendMessageParams{
		ReplyParameters: &models.ReplyParameters{MessageID: to.ID, AllowSendingWithoutReply: true},
	}
	if to.IsTopicMessage { // in other groups a thread is something else
		params.MessageThreadID = to.MessageThreadID
	}
	for _, part := range split(text) {
		if err := c.deliverPatiently(ctx, part, params); err != nil {
			return
		}
	}
}

// deliverPatiently waits itself where Telegram asks to: behind an answer is no
// queue that would.
func (c *chat) deliverPatiently(ctx context.Context, text alert.Text, params bot.SendMessageParams) error {
	for try := 1; ; try++ {
		err := c.deliver(ctx, text, params)
		later, ok := errors.AsType[*alert.RetryAfterError](err)
		if !ok || later.After > longestWait || try == answerTries {
			return err
		}
		if err := sleep(ctx, later.After); err != nil {
			return err
		}
	}
}
