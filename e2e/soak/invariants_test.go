package soak

import (
	"errors"
	"net/http"
	"strings"
)

// sentTwice checks that no request came twice that must not.
func (s *soak) sentTwice() {
	s.t.Helper()
	if twice := s.world.seen.sentTwice(); len(twice) > 0 {
		s.t.Errorf("sent twice: %q", twice)
	}
}

// judge looks at what became of all that was asked.
func (s *soak) judge() {
	s.t.Helper()
	outcomes := s.ledger.take()
	if len(outcomes) == 0 {
		s.t.Error("nothing was asked")
	}
	failed := make(map[string]int)
	for i := range outcomes {
		o := &outcomes[i]
		if _, wrong := errors.AsType[*wrongAnswer](o.err); wrong {
			s.t.Errorf("%v", o)
		}
		if o.err == nil || o.left {
			continue
		}
		excuse := s.excuse(o)
		failed[o.kind+": "+excuse]++
		if excuse == "" {
			s.t.Errorf("failed although a proxy works: %v; the origins saw it %d times; the log: %s", o, s.world.seen.of(o.id).came, s.books.row(o.path))
		}
	}
	s.books.asked(outcomes)
	s.t.Logf("%d requests; failed, as they may: %v", len(outcomes), failed)
}

// excuse says why a request may have failed, empty where it may not.
func (s *soak) excuse(o *outcome) string {
	switch {
	case !o.strict:
		return "it is of those that may"
	case !o.short() && (o.status == http.StatusOK || o.status == http.StatusSwitchingProtocols):
		return "the answer had begun"
	case s.ledger.wasAway(o.began, o.ended):
		return "Caddy was away"
	case o.status != 0:
		return ""
	}
	switch row := s.books.row(o.path); {
	case strings.HasPrefix(o.what, "download") && strings.Contains(row, "broken_answer"):
		return "the answer had begun, and nothing of it arrived"
	case row == noRow && s.world.seen.of(o.id).came == 0 && s.ledger.wasReloaded(o.began, o.ended):
		return "its connection was not accepted before a reload"
	}
	return ""
}

// short reports whether all of the answer is there before anything of it reaches
// the client.
func (o *outcome) short() bool { return o.what == "get" || o.what == "echo" && o.body <= smallBody }
