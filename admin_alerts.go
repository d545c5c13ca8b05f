package proxypool

import (
	"net/http"
	"time"

	"github.com/caddy-proxypool/proxypool/alert"
)

// notifierAnswer tells how the deliveries to one destination go.
type notifierAnswer struct {
	Notifier      string  `json:"notifier"`
	OK            bool    `json:"ok"`
	Error         string  `json:"error"` // and what to do
	Since         *string `json:"since"` // when that began
	Waiting       int     `json:"waiting"`
	LastDelivered *string `json:"last_delivered"`
	CommandsError string  `json:"commands_error,omitempty"` // why commands are not answered
}

func newNotifierAnswers(health []alert.Health) []notifierAnswer {
	answers := make([]notifierAnswer, len(health))
	for i, h := range health {
		answers[i] = notifierAnswer{
			Notifier: h.Name, OK: h.OK, Error: h.Error, Since: stamp(h.Since), Waiting: h.Waiting,
			LastDelivered: stamp(h.Delivered.Round(0)), CommandsError: h.Runner,
		}
	}
	return answers
}

// testResult is what came of a test of one destination.
type testResult struct {
	Notifier string `json:"notifier"`
	OK       bool   `json:"ok"`
	Error    string `json:"error"`
}

// testAlerts sends a test to every destination, and waits for what comes of it.
func (a *adminAPI) testAlerts(w http.ResponseWriter, r *http.Request) error {
	rc := http.NewResponseController(w)
	_ = rc.SetWriteDeadline(time.Time{}) // a destination that hangs takes its time
	answer := struct {
		Results []testResult `json:"results"`
	}{Results: []testResult{}}
	names := make(discreetNames)
	for _, result := range a.app.registry.desk.Test(r.Context()) {
		row := testResult{Notifier: result.Name, OK: result.Err == nil}
		if result.Err != nil {
			row.Error = result.Err.Error()
		}
		if a.audience != admins {
			row.Notifier, row.Error = names.next(result.Name), withoutPlace(result.Name, row.Error)
		}
		answer.Results = append(answer.Results, row)
	}
	return answerJSON(w, answer)
}
