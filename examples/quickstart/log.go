package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// logLine is one line of Caddy's log.
type logLine struct {
	Level   string  `json:"level"`
	Time    float64 `json:"ts"`
	Logger  string  `json:"logger"`
	Message string  `json:"msg"`

	// Of the access log.
	Request struct {
		Method string `json:"method"`
		URI    string `json:"uri"`
	} `json:"request"`
	Status   int     `json:"status"`
	Duration float64 `json:"duration"`
	Trail    string  `json:"trail"`

	// Of the end of a tunnel.
	Target   string `json:"target"`
	BytesIn  int64  `json:"bytes_in"`
	BytesOut int64  `json:"bytes_out"`

	// Of a proxy's change of status.
	Proxy  string `json:"proxy"`
	From   string `json:"from"`
	To     string `json:"to"`
	Reason string `json:"reason"`

	// Of a budget.
	Percent int    `json:"percent"`
	Budget  string `json:"budget"`

	raw string
}

// readLine reads a line; what is no JSON is kept as it is.
func readLine(raw []byte) logLine {
	line := logLine{raw: string(raw)}
	if json.Unmarshal(raw, &line) != nil {
		line.Level = "error"
	}
	return line
}

// botToken is a Bot API's path, up to the end of its secret part.
var botToken = regexp.MustCompile(`^(/file)?/bot[^/]+/`)

// String is the line in short, empty where it tells a beginner nothing.
func (l logLine) String() string {
	at := time.UnixMilli(int64(l.Time * 1000)).Format(time.TimeOnly)
	switch {
	case l.Message == "handled request":
		uri := botToken.ReplaceAllString(l.Request.URI, "$1/bot***/")
		line := fmt.Sprintf("%s  %s %s  %d in %.0f ms  %s", at, l.Request.Method, uri, l.Status, l.Duration*1000, l.Trail)
		return strings.TrimRight(line, " ")
	case l.Message == "tunnel ended":
		return fmt.Sprintf("%s  tunnel to %s ended after %.0f ms: %d bytes through %s", at, l.Target, l.Duration*1000, l.BytesIn+l.BytesOut, l.Proxy)
	case l.Message == "proxy changed status" && l.Reason != "":
		return fmt.Sprintf("%s  %s: %s → %s (%s)", at, l.Proxy, l.From, l.To, l.Reason)
	case l.Message == "proxy changed status":
		return fmt.Sprintf("%s  %s: %s → %s", at, l.Proxy, l.From, l.To)
	case l.Message == "budget used":
		return fmt.Sprintf("%s  %s: %d %% of %s used", at, l.Proxy, l.Percent, l.Budget)
	case l.Logger == "http.log.error":
		return "" // of the stand-in, whose answer was cut off
	case l.Level == "error" || l.Level == "fatal" || l.Level == "panic":
		return l.raw
	default:
		return ""
	}
}
