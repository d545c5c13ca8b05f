package telegram

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/caddy-proxypool/proxypool/alert"
)

// What the admin reads of an error says what is wrong and what to do. It is made
// of our own words, of chat and host, and of what [secret] has let through.

var errMalformedToken = errors.New("the token is malformed (it is not shown): expected a number, a colon and some 35 letters, " +
	"as in 123456789:AbCd...; copy it from @BotFather and set it as token")

// apiError is an error that the Bot API answers with.
type apiError struct {
	code        int
	description string // for comparing only
	shown       string // of the description what may be shown
	retryAfter  time.Duration
	migratedTo  int64
}

func (e *apiError) Error() string { return fmt.Sprintf("the Bot API answers %d", e.code) }

// says reports whether one of the phrases is in the description. The API has no
// codes that tell these errors apart.
func (e *apiError) says(phrases ...string) bool {
	description := strings.ToLower(e.description)
	for _, phrase := range phrases {
		if strings.Contains(description, phrase) {
			return true
		}
	}
	return false
}

// isMarkup tells whether the HTML is what was not understood.
func (e *apiError) isMarkup() bool {
	return e.code == http.StatusBadRequest && e.says("can't parse entities")
}

// isTopic tells whether the topic is gone or takes no messages.
func (e *apiError) isTopic() bool {
	return e.code == http.StatusBadRequest && e.says("message thread not found", "topic_closed", "topic_deleted", "topic_id_invalid")
}

// quoted is the description where it may be shown.
func (e *apiError) quoted() string {
	if e.shown == "" {
		return ""
	}
	return " (" + e.shown + ")"
}

// answerError is an answer that is none of the Bot API.
type answerError struct{ status int }

func (e *answerError) Error() string {
	return fmt.Sprintf("the answer (status %d) is not that of the Bot API: is api_url right? "+
		"otherwise something on the way answers in its place, such as a login page; check via", e.status)
}

// networkError is no answer.
type networkError struct{ host, reason string }

func (e *networkError) Error() string {
	return fmt.Sprintf("the Bot API at %s was not reached: %s; check the connection, via and api_url", e.host, e.reason)
}

// explain is err for the admin, about this chat.
func (c *chat) explain(err error) error {
	refusal, ok := errors.AsType[*apiError](err)
	if !ok {
		return c.account.explain(err)
	}
	switch {
	case refusal.migratedTo != 0:
		return fmt.Errorf("the group %s has become a supergroup with another number: set chat_id to %d", c.id, refusal.migratedTo)
	case refusal.code == http.StatusForbidden:
		return c.forbidden(refusal)
	case refusal.code != http.StatusBadRequest:
		return c.account.explain(err)
	case refusal.says("chat not found", "user not found", "peer_id_invalid", "chat_id_invalid", "channel_private"):
		return fmt.Errorf("the bot cannot see chat %s: check chat_id; a person sends the bot /start first, "+
			"a group or channel adds it as a member", c.id)
	case refusal.says("user_is_blocked", "deactivated", "was deleted"):
		return c.forbidden(refusal)
	case refusal.says("rights", "write access", "_forbidden", "chat_restricted", "chat_admin_required"):
		return fmt.Errorf("the bot must not write to chat %s: give it the right to send messages, in a channel as administrator", c.id)
	case refusal.says("upgraded to a supergroup"):
		return fmt.Errorf("the group %s has become a supergroup with another number: find it out and set it as chat_id", c.id)
	}
	return &alert.RefusedError{Err: fmt.Errorf("the Bot API takes no message such as this one%s: "+
		"it is given up; please report it to the authors of proxypool", refusal.quoted())}
}

// forbidden is for the chat's people to change.
func (c *chat) forbidden(e *apiError) error {
	switch {
	case e.says("blocked by the user", "user_is_blocked"):
		return fmt.Errorf("the person of chat %s has blocked the bot: unblock it in Telegram", c.id)
	case e.says("kicked", "not a member"):
		return fmt.Errorf("the bot is not in chat %s any more: add it again, in a channel as administrator", c.id)
	case e.says("deactivated", "was deleted"):
		return fmt.Errorf("chat %s, or its account, was deleted: set another chat_id", c.id)
	}
	return fmt.Errorf("the bot may not write to chat %s: a person sends it /start first, "+
		"a group or channel adds it with the right to send messages", c.id)
}

// explain is err for the admin where it is about no chat.
func (a *account) explain(err error) error {
	var refusal *apiError
	var answer *answerError
	var network *networkError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, errMalformedToken):
		return err
	case errors.As(err, &network):
		return network
	case errors.As(err, &answer):
		return answer
	case !errors.As(err, &refusal):
		// The library's own words may quote anything.
		return errors.New("the message could not be sent or the answer not understood: check api_url; otherwise please report it to the authors of proxypool")
	}
	switch code := refusal.code; {
	case code == http.StatusUnauthorized, code == http.StatusNotFound:
		return fmt.Errorf("the Bot API does not know the token (%d): it was revoked or is mistyped; get it from @BotFather and set it as token", code)
	case code == http.StatusConflict && refusal.says("webhook"):
		return errors.New("commands cannot be read, because a webhook is set for this bot: delete it (the method deleteWebhook), " +
			"use a bot that does nothing else, or set commands off")
	case code == http.StatusConflict:
		return errors.New("another program reads the messages of this bot, so that commands get lost: stop it, " +
			"use a bot that does nothing else, or set commands off")
	case code == http.StatusTooManyRequests:
		return refusal.later()
	case code >= 500:
		return fmt.Errorf("the Bot API has a fault of its own (%d)%s: it is tried again; there is nothing to do unless it lasts", code, refusal.quoted())
	default:
		return fmt.Errorf("the Bot API answers %d%s: check token and api_url", code, refusal.quoted())
	}
}

// later is for too many messages.
func (e *apiError) later() error {
	err := errors.New("too many messages for Telegram: they are sent again later; if it lasts, let nothing else use this bot")
	if e.retryAfter == 0 {
		return err
	}
	return &alert.RetryAfterError{After: e.retryAfter, Err: err}
}
