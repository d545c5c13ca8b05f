package telegram

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"time"
)

const (
	// sendPatience is how long one way may take with a message before the next
	// is tried, and sendTime how long all of them together may.
	sendPatience = 8 * time.Second
	sendTime     = 25 * time.Second

	maxRequest = 1 << 20
	maxAnswer  = 1 << 20

	// maxUpdates is for an answer with as many messages as Telegram ever gives at
	// once, 100, all of them of the longest, quoting others of the longest. What
	// is not read whole can't be confirmed, and would come again for ever.
	maxUpdates = 8 << 20
)

// maxHost is how much of a host an error shows.
const maxHost = 50

// client is the library's HTTP client. It makes one request of one call, follows
// no redirect and keeps no cookies. An answer that is an error of the API comes
// back as an [apiError], and nothing that the library could quote comes back at
// all.
type client struct {
	transport http.RoundTripper
	limit     time.Duration // for one call
	host      string
	secret    secret
}

func (a *account) client(transport http.RoundTripper, limit time.Duration) *client {
	c := &client{transport: transport, limit: limit, secret: newSecret(a.token)}
	if u, err := url.Parse(a.url); err == nil {
		c.host = u.Host[:min(len(u.Host), maxHost)]
	}
	return c
}

// Do makes a call. Its error is that of the request's context where that has
// ended, otherwise one of this package's.
func (c *client) Do(request *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(request.Context(), c.limit)
	defer cancel()
	result, err := c.call(ctx, request)
	if err == nil {
		return &http.Response{
			StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: make(http.Header), Request: request,
			Body: io.NopCloser(bytes.NewReader(result)), ContentLength: int64(len(result)),
		}, nil
	}
	if ended := request.Context().Err(); ended != nil {
		return nil, ended
	}
	// No error may be one of a context by now: the library would take it for
	// the end of the poller and stop without a word.
	var refusal *apiError
	var answer *answerError
	switch {
	case errors.As(err, &refusal):
		return nil, refusal
	case errors.As(err, &answer):
		return nil, answer
	case ctx.Err() != nil:
		return nil, &networkError{host: c.host, reason: fmt.Sprintf("no answer within %s", c.limit)}
	default:
		return nil, &networkError{host: c.host, reason: c.secret.reason(err)}
	}
}

// call sends a request and reads the answer.
func (c *client) call(ctx context.Context, request *http.Request) ([]byte, error) {
	request, err := whole(ctx, request)
	if err != nil {
		return nil, err
	}
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	method := path.Base(request.URL.Path)
	most := int64(maxAnswer)
	if method == "getUpdates" {
		most = maxUpdates
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, most+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(body)) > most:
		return nil, &answerError{status: response.StatusCode}
	}
	return c.result(method, response.StatusCode, body)
}

// whole reads the body of a request, which the library writes while it is sent,
// because each way needs one of its own.
func whole(ctx context.Context, request *http.Request) (*http.Request, error) {
	body, err := io.ReadAll(io.LimitReader(request.Body, maxRequest+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxRequest {
		return nil, errors.New("the message is too long")
	}
	request = request.Clone(ctx)
	request.ContentLength = int64(len(body))
	if len(body) == 0 {
		request.Body, request.GetBody = http.NoBody, func() (io.ReadCloser, error) { return http.NoBody, nil }
		return request, nil
	}
	request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	request.Body, err = request.GetBody()
	return request, err
}

// envelope is what every answer of the API is in.
type envelope struct {
	OK          bool            `json:"ok"`
	Result      json.RawMessage `json:"result"`
	ErrorCode   int             `json:"error_code"`
	Description string          `json:"description"`
	Parameters  struct {
		RetryAfter      int64 `json:"retry_after"`
		MigrateToChatID int64 `json:"migrate_to_chat_id"`
	} `json:"parameters"`
}

// result is the answer to a method as the library gets it.
func (c *client) result(method string, status int, body []byte) ([]byte, error) {
	var answer envelope
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, &answerError{status: status}
	}
	if answer.OK {
		kept, err := keepOf(method, answer.Result)
		if err != nil {
			return nil, &answerError{status: status}
		}
		return json.Marshal(map[string]any{"ok": true, "result": kept})
	}
	if answer.ErrorCode == 0 {
		return nil, &answerError{status: status}
	}
	return nil, &apiError{
		code: answer.ErrorCode, description: answer.Description, shown: c.secret.clean(answer.Description),
		retryAfter: seconds(answer.Parameters.RetryAfter), migratedTo: answer.Parameters.MigrateToChatID,
	}
}

// seconds are at most a day, after which nobody waits any more.
func seconds(n int64) time.Duration {
	return time.Duration(min(max(n, 0), 24*60*60)) * time.Second
}

// keepOf is what we use of a result. The library knows every kind of message and
// fails on those that are younger than it: one of them in the chat would stop
// the commands for ever, and a message that has arrived would be sent again.
func keepOf(method string, result json.RawMessage) (any, error) {
	switch method {
	case "getUpdates":
		updates := []update{}
		err := json.Unmarshal(result, &updates)
		return updates, err
	case "getMe":
		var me identity
		if err := json.Unmarshal(result, &me); err != nil {
			return nil, err
		}
		if me.Username == "" {
			return nil, errors.New("a bot without a name")
		}
		return me, nil
	}
	return struct{}{}, nil
}

type identity struct {
	ID        int64  `json:"id"`
	IsBot     bool   `json:"is_bot"`
	FirstName string `json:"first_name"`
	Username  string `json:"username"`
}

type update struct {
	ID      int64 `json:"update_id"`
	Message *struct {
		ID       int    `json:"message_id"`
		Thread   int    `json:"message_thread_id,omitempty"`
		IsTopic  bool   `json:"is_topic_message,omitempty"`
		Date     int    `json:"date"`
		Text     string `json:"text,omitempty"`
		FromChat struct {
			ID       int64  `json:"id"`
			Type     string `json:"type"`
			Username string `json:"username,omitempty"`
		} `json:"chat"`
	} `json:"message,omitempty"`
}
