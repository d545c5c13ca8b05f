package telegram

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"github.com/caddy-proxypool/proxypool/alert"
)

// chat is one chat that alerts go to.
type chat struct {
	*account
	id     chatID
	thread int
	pace   *pace
	render func(*alert.Alert) alert.Text
}

// Name is the chat's, with the topic where there is one.
func (c *chat) Name() string {
	if c.thread != 0 {
		return fmt.Sprintf("telegram %s/%d", c.id, c.thread)
	}
	return "telegram " + c.id.String()
}

// Send sends an alert, in parts where it is long.
func (c *chat) Send(ctx context.Context, a *alert.Alert, done int) (parts int, err error) {
	texts := split(c.render(a))
	for ; done < len(texts); done++ {
		err := c.deliver(ctx, texts[done], bot.SendMessageParams{
			MessageThreadID:     c.thread,
			DisableNotification: a.Priority == alert.Low,
		})
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// deliver sends one text. What is not taken because of its markup or its topic is
// sent again without, so that it arrives at all.
func (c *chat) deliver(ctx context.Context, text alert.Text, params bot.SendMessageParams) error {
	params.ChatID = c.id.param()
	params.Text, params.ParseMode = text.HTML, models.ParseModeHTML
	params.LinkPreviewOptions = &models.LinkPreviewOptions{IsDisabled: bot.True()}
	for {
		err := c.post(ctx, &params)
		refusal, ok := errors.AsType[*apiError](err)
		if !ok {
			return c.explain(err)
		}
		switch {
		case refusal.isMarkup() && params.ParseMode != "":
			params.Text, params.ParseMode = text.Plain, ""
		case refusal.isTopic() && params.MessageThreadID != 0:
			params.MessageThreadID = 0
		default:
			return c.explain(err)
		}
	}
}

// post makes one request when the chat's turn has come.
func (c *chat) post(ctx context.Context, params *bot.SendMessageParams) error {
	if c.bot == nil {
		return errMalformedToken
	}
	if err := c.pace.begin(ctx); err != nil {
		return err
	}
	defer c.pace.end()
	_, err := c.bot.SendMessage(ctx, params)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// Interface guards.
var _ alert.Destination = (*chat)(nil)
