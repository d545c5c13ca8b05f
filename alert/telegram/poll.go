package telegram

import (
	"context"
	"errors"
	"net/http"
	"path"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/go-telegram/bot"

	"github.com/caddy-proxypool/proxypool/alert"
)

const (
	// pollTimeout is one second more than Telegram is asked to wait for a
	// message. An answer that takes pollPatience shows that a way is closed, and
	// pollTime ends a call that hangs otherwise.
	pollTimeout  = 51 * time.Second
	pollPatience = 65 * time.Second
	pollTime     = 5 * time.Minute

	// pollGap is between the beginnings of calls that bring nothing: whatever
	// answers at once and for ever is not asked in a busy loop.
	pollGap = time.Second

	// workers is how many commands are carried out at once, so that a check,
	// which takes a while, holds up none of the others.
	workers = 2

	// waiting is how many commands wait for a worker; Telegram keeps the rest.
	waiting = 16
)

// poller is a chat that also waits for commands, for all chats of its bot.
type poller struct {
	*chat
	chats   []*chat
	updates *client
	answer  func(context.Context, alert.Command) alert.Text
}

// Run answers commands until ctx ends.
func (p *poller) Run(ctx context.Context, report func(error)) {
	if p.bot == nil {
		report(errMalformedToken)
		<-ctx.Done()
		return
	}
	calls := &pollClient{poller: p, outage: newOutage(func(err error) { report(p.account.explain(err)) })}
	heard := &commands{poller: p}
	polling, err := p.newBot(
		bot.WithHTTPClient(pollTimeout, calls),
		bot.WithAllowedUpdates(bot.AllowedUpdates{"message"}),
		bot.WithDefaultHandler(heard.handle),
		bot.WithWorkers(workers), bot.WithUpdatesChannelCap(waiting),
		bot.WithNotAsyncHandlers(), // otherwise each command gets a goroutine that nobody waits for
	)
	if err != nil {
		report(err)
		<-ctx.Done()
		return
	}
	// In a group commands may be addressed to a bot by name. The calls wait
	// between failures.
	for heard.botName == "" {
		if ctx.Err() != nil {
			return
		}
		if me, err := polling.GetMe(ctx); err == nil {
			heard.botName = me.Username
		}
	}
	polling.Start(ctx)
}

// noUpdates is what [client] makes of an answer without messages.
const noUpdates = `{"ok":true,"result":[]}`

// pollClient makes the calls of the poller, one at a time. While they fail it
// waits between them, ever longer; the library alone would try every 5 seconds.
type pollClient struct {
	*poller
	outage *outage
	next   time.Time
}

func (c *pollClient) Do(request *http.Request) (*http.Response, error) {
	wait := max(time.Until(c.next), c.outage.wait)
	if err := sleep(request.Context(), wait); err != nil {
		return nil, err
	}
	caller := c.messages
	if path.Base(request.URL.Path) == "getUpdates" {
		caller = c.updates
		c.next = time.Now().Add(pollGap)
	}
	response, err := caller.Do(request)
	if err == nil && response.ContentLength > int64(len(noUpdates)) {
		c.next = time.Now() // the next call confirms what came
	}
	if request.Context().Err() == nil {
		c.outage.result(err)
	}
	return response, err
}

// outage is the time in which one call after the other fails.
type outage struct {
	report   func(error)
	backoff  backoff.ExponentialBackOff
	wait     time.Duration // before the next call
	failures int
	since    time.Time
	told     bool
}

// An outage is reported once it lasted this many failures or this long: the first
// may be a connection that broke, which nobody has to know of.
const (
	tellFailures = 3
	tellAfter    = 30 * time.Second
)

func newOutage(report func(error)) *outage {
	return &outage{report: report, backoff: backoff.ExponentialBackOff{
		InitialInterval: time.Second, Multiplier: 2, RandomizationFactor: 0.2,
		MaxInterval: 45 * time.Second, // with the library's own 5 seconds and chance, a minute
	}}
}

// result is told how a call ended.
func (o *outage) result(err error) {
	if err == nil {
		if o.told {
			o.report(nil)
		}
		o.backoff.Reset()
		o.wait, o.failures, o.told = 0, 0, false
		return
	}
	if o.failures == 0 {
		o.since = time.Now()
	}
	o.failures++
	o.wait = o.backoff.NextBackOff()
	if refusal, ok := errors.AsType[*apiError](err); ok {
		o.wait = max(o.wait, refusal.retryAfter)
	}
	if !o.told && (o.failures >= tellFailures || time.Since(o.since) >= tellAfter) {
		o.told = true
		o.report(err)
	}
}

// Interface guards.
var _ alert.Runner = (*poller)(nil)
