package proxypool

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// Bounds of the live view.
const (
	maxLivePages = 64 // at once; others poll
	livePending  = 8  // frames that a slow page may be behind
	liveShare    = 50 // a look's time in this many is at most spent looking
)

// tempo is how fast a live view goes.
type tempo struct {
	pace  time.Duration // between two looks
	beat  time.Duration // a page hears at least so often that it is connected
	write time.Duration // for one frame
}

// live pushes what the pools are doing to the pages that are open. One goroutine
// looks for all of them, and only while there are some.
type live struct {
	paint *painter
	tempo tempo

	mu    sync.Mutex
	pages map[*livePage]struct{}
	last  *picture // where the goroutine runs, the one that all pages have
	ended bool
	quit  chan struct{}
	going bool // the goroutine
	group sync.WaitGroup
}

// livePage is a page that is open.
type livePage struct {
	frames chan []byte // closed when the page is dropped
}

func newLive(paint *painter) *live {
	return &live{
		paint: paint,
		tempo: tempo{pace: time.Second, beat: 10 * time.Second, write: 10 * time.Second},
		pages: make(map[*livePage]struct{}),
		quit:  make(chan struct{}),
	}
}

// end lets go of all pages. They come back, to the configuration that follows.
func (l *live) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.ended = true
	close(l.quit)
	for page := range l.pages {
		l.drop(page)
	}
}

func (l *live) wait() { l.group.Wait() }

// drop forgets a page. The caller holds the lock.
func (l *live) drop(page *livePage) {
	if _, ok := l.pages[page]; ok {
		delete(l.pages, page)
		close(page.frames)
	}
}

// whole is the present picture, about as old as the pace at most.
func (l *live) whole() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.present().whole()
}

// present is the picture of now, or the last one that all pages have; the caller
// holds the lock.
func (l *live) present() *picture {
	if now := time.Now(); l.last == nil || !l.going && now.Sub(l.last.taken) >= l.tempo.pace {
		l.last = l.paint.picture(now)
	}
	return l.last
}

// join adds a page, whose first frame is the whole picture.
func (l *live) join() *livePage {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || len(l.pages) >= maxLivePages {
		return nil
	}
	page := &livePage{frames: make(chan []byte, livePending)}
	page.frames <- event("full", l.present().whole())
	l.pages[page] = struct{}{}
	if !l.going {
		l.going = true
		l.group.Go(l.run)
	}
	return page
}

func (l *live) leave(page *livePage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(page)
}

// run looks again and again until the last page has gone.
func (l *live) run() {
	timer := time.NewTimer(l.tempo.pace)
	defer timer.Stop()
	heard := time.Now()
	for {
		select {
		case <-l.quit:
			return
		case <-timer.C:
		}
		start := time.Now()
		more := l.look(&heard)
		if !more {
			return
		}
		timer.Reset(min(max(l.tempo.pace, liveShare*time.Since(start)), l.tempo.beat/2))
	}
}

// look sends what has changed to every page, and reports whether there are any.
func (l *live) look(heard *time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pages) == 0 || l.ended {
		l.going = false
		return false
	}
	before := l.last
	l.last = l.paint.picture(time.Now())
	var frame []byte
	switch changes := l.last.since(before); {
	case changes != nil:
		frame = event("delta", changes)
	case time.Since(*heard) >= l.tempo.beat:
		frame = event("beat", []byte("{}"))
	default:
		return true
	}
	*heard = time.Now()
	for page := range l.pages {
		select {
		case page.frames <- frame:
		default:
			l.drop(page) // it comes back when it can
		}
	}
	return true
}

// serve is the stream of one page.
func (l *live) serve(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodHead {
		return nil // has no stream to follow
	}
	page := l.join()
	if page == nil {
		w.Header().Set("Retry-After", "10")
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: errTooManyPages}
	}
	defer l.leave(page)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK) // encode then waits for nothing
	return page.follow(r.Context(), w, l.tempo.write)
}

// follow writes frames, each within a time, until the page has gone, or was dropped.
func (p *livePage) follow(ctx context.Context, w http.ResponseWriter, within time.Duration) error {
	rc := http.NewResponseController(w)
	for {
		select {
		case <-ctx.Done():
			return nil
		case frame, ok := <-p.frames:
			if !ok {
				return nil
			}
			_ = rc.SetWriteDeadline(time.Now().Add(within))
			if _, err := w.Write(frame); err != nil {
				return nil //nolint:nilerr // the page has gone
			}
			if err := rc.Flush(); err != nil {
				return nil //nolint:nilerr // the same
			}
			// On HTTP/2 the time runs out although nothing is being written.
			_ = rc.SetWriteDeadline(time.Time{})
		}
	}
}

// event is a server-sent event. JSON has no newlines in it.
func event(name string, data []byte) []byte {
	var b bytes.Buffer
	b.Grow(len(name) + len(data) + 16)
	b.WriteString("event: " + name + "\ndata: ")
	b.Write(data)
	b.WriteString("\n\n")
	return b.Bytes()
}
