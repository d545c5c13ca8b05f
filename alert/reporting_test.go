package alert

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDailyReport(t *testing.T) {
	bubble(t, func(t *testing.T) { // which begins at midnight UTC
		a := &chat{name: "a"}
		o := newOffice(t)
		var asked []string
		var fails atomic.Bool
		o.settings.Destinations = []Destination{a}
		o.settings.Daily = &Clock{9, 0, time.UTC}
		o.settings.Report = func(_ context.Context, from, to time.Time) (Report, error) {
			asked = append(asked, from.Format("02T15:04")+" "+to.Format("02T15:04"))
			if fails.Load() {
				return Report{}, errors.New("the books are closed")
			}
			return Report{From: from, To: to}, nil
		}
		o.Follow(o.settings)
		pass(9*time.Hour - time.Second)
		a.want(t)
		pass(2 * time.Second)
		a.want(t, "daily_report low")
		o.restart()
		pass(12 * time.Hour)
		a.want(t)
		pass(12 * time.Hour)
		a.want(t, "daily_report low")

		fails.Store(true)
		pass(24 * time.Hour)
		a.want(t)
		fails.Store(false)
		pass(2 * time.Minute)
		a.want(t, "daily_report low")

		o.Close() // over the time at which the next is due
		pass(48 * time.Hour)
		o.start()
		pass(time.Minute)
		a.want(t, "daily_report low")
		if diff := cmp.Diff([]string{"31T09:00 01T09:00", "01T09:00 02T09:00"}, asked[:2]); diff != "" {
			t.Errorf("asked for (-want +got):\n%s", diff)
		}
		if last := asked[len(asked)-1]; last != "04T09:00 05T09:00" {
			t.Errorf("asked for %s in the end, expected the last one that was missed", last)
		}
	})
}

// TestReportInAnotherStore, which did not see that one was due.
func TestReportInAnotherStore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a"}
		o := newOffice(t, a)
		o.settings.Daily = &Clock{9, 0, time.UTC}
		o.settings.Report = func(_ context.Context, from, to time.Time) (Report, error) { return Report{}, nil }
		o.Follow(o.settings)
		pass(time.Hour)
		o.keeper.set(func(k *fakeKeeper) { clear(k.notes) })
		o.Restore(o.keeper.kept())
		synctest.Wait()
		o.Close() // over the time at which it is due
		pass(9 * time.Hour)
		o.start()
		pass(time.Minute)
		a.want(t, "daily_report low")
	})
}

// TestReportAfterAWrongClock, by which the last one was due in years.
func TestReportAfterAWrongClock(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a"}
		o := newOffice(t, a)
		o.Close()
		o.keeper.notes[noteReport] = []byte(`{"told":"2999-01-01T09:00:00Z"}`)
		o.settings.Daily = &Clock{9, 0, time.UTC}
		o.settings.Report = func(_ context.Context, from, to time.Time) (Report, error) { return Report{}, nil }
		o.start()
		pass(24 * time.Hour)
		a.want(t, "daily_report low")
	})
}
