package books

import "time"

// judge notes how an attempt to write ended, tells where that is news, and plans
// the next one.
func (w *writer) judge(err error) {
	now := time.Now()
	before := w.failing
	w.failing = err
	if err == nil {
		w.pause, w.retryAt = 0, time.Time{}
	} else {
		shortest, longest := minWritePause, maxWritePause
		if w.open == nil {
			shortest, longest = minOpenPause, maxOpenPause
		}
		w.pause = min(max(2*w.pause, shortest), longest)
		w.retryAt = now.Add(w.pause)
	}
	if err != nil && before == nil {
		w.failedAt = now
	}
	// Another fault than the one that was told is news, but not each time where
	// two take turns.
	news := err != nil && (before == nil || err.Error() != w.failedTold && now.Sub(w.failedToldAt) >= tellFaultEvery)
	if news {
		w.failedTold, w.failedToldAt = err.Error(), now
	}
	w.setFault(err, w.wall())
	hooks := &w.settings.Hooks
	switch {
	case news && hooks.Failed != nil:
		hooks.Failed(err)
	case err == nil && before != nil && hooks.Recovered != nil:
		hooks.Recovered(now.Sub(w.failedAt))
	}
}

// setFault is what Health tells from now on.
func (b *Books) setFault(err error, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fault == nil {
		b.since = now
	}
	b.fault = err
}

func (w *writer) lost(err error) {
	if w.settings.Hooks.Lost != nil {
		w.settings.Hooks.Lost(err)
	}
}

func (w *writer) noticed(message string) {
	w.notices++
	if w.settings.Hooks.Noticed != nil {
		w.settings.Hooks.Noticed(message)
	}
}

// tellDropped tells how many rows were lost, not too often.
func (w *writer) tellDropped() {
	lost := w.dropped.Load() - w.droppedTold
	if lost == 0 || !w.toldAt.IsZero() && time.Since(w.toldAt) < tellDroppedEvery {
		return
	}
	w.droppedTold += lost
	w.toldAt = time.Now()
	if w.settings.Hooks.Dropped != nil {
		w.settings.Hooks.Dropped(lost)
	}
}
