package books

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caddy-proxypool/proxypool/pool"
)

const (
	// How many entries wait for the writer: most of a second of ten thousand
	// requests, for a disk that is busy.
	queueSize = 8192
	// How many rows are held beyond that while they cannot be written.
	maxRows = 2 * queueSize
	// How many entries in the queue the writer does not leave until its time.
	largeBatch = 2000

	maxMethodBytes = 32
	maxPathBytes   = 1024
)

// Entry is one request, for the usage log.
type Entry struct {
	Start             time.Time
	Duration          time.Duration
	Trace             pool.Trace // complete: nobody writes to it any more
	Method            string
	Path              string // decoded, without the query, not redacted yet
	Redact            []Rule // for the path, after what is always hidden; those of its own configuration
	Status            int    // that the client got; 0 where none
	BytesIn, BytesOut int64  // on the connections to the proxies
}

// Logging reports whether entries are taken, for those who would make one.
func (b *Books) Logging() bool { return b.logging.Load() }

// Enter hands over an entry for the usage log. It never waits, and allocates
// nothing: where the log is off it does nothing, and where the queue is full the
// row is dropped and counted.
func (b *Books) Enter(e Entry) {
	if !b.logging.Load() {
		return
	}
	select {
	case b.entries <- e: // was made before logging was set
	default:
		b.dropped.Add(1)
		return
	}
	if len(b.entries) >= largeBatch {
		b.rouse()
	}
}

// row makes a row of an entry. This is where secrets end.
func (e *Entry) row() pool.LogRow {
	return pool.LogRow{
		Time:     e.Start,
		Pool:     e.Trace.Pool,
		Proxy:    e.Trace.Proxy,
		Method:   clip(e.Method, maxMethodBytes),
		Target:   strings.ToValidUTF8(e.Trace.Target, "\uFFFD"),
		Path:     clip(redact(e.Path, e.Redact), maxPathBytes),
		Success:  e.Trace.Err == "",
		Status:   e.Status,
		Duration: e.Duration,
		BytesIn:  e.BytesIn,
		BytesOut: e.BytesOut,
		Attempts: e.Trace.Attempts(),
		Trail:    e.Trace.String(),
		Error:    e.Trace.Err,
	}
}

// clip makes a string valid UTF-8 of at most so many bytes. It is a copy where
// something was cut off, so that the rest is not kept.
func clip(s string, limit int) string {
	if len(s) > limit+utf8.UTFMax {
		s = s[:limit+utf8.UTFMax] // what is beyond cannot come into it
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= limit {
		return s
	}
	for !utf8.RuneStart(s[limit]) {
		limit--
	}
	return strings.Clone(s[:limit])
}
