package proxypool

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestPurse: nobody waits for books that hang, what was known is shown until it
// is too old, and nothing of the looks is left at the end.
func TestPurse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const works, fails, hangs = 0, 1, 2
		books, looks := works, 0
		p := newPurse(func(ctx context.Context, _ time.Time) (map[string]*liveMoney, error) {
			looks++
			switch books {
			case fails:
				return nil, errors.New("the disk is full")
			case hangs:
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return map[string]*liveMoney{"main": {Today: usageFigures{Requests: int64(looks)}}}, nil
		})
		expect := func(what string, requests int64) {
			t.Helper()
			got, began := int64(0), time.Now()
			if money := p.known(began)["main"]; money != nil {
				got = money.Today.Requests
			}
			if got != requests || time.Since(began) != 0 {
				t.Errorf("%s: %d requests after %s, want %d at once", what, got, time.Since(began), requests)
			}
			synctest.Wait()
		}
		isLooking := func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.looking != nil
		}
		p.await(t.Context())
		expect("at first", 1)
		time.Sleep(moneyPace)
		expect("while it is looked up again", 1)
		expect("and then", 2)
		expect("not more often than that", 2)

		books = hangs
		time.Sleep(moneyPace)
		expect("in a look that hangs", 2)
		if !isLooking() {
			t.Error("it does not hang")
		}
		time.Sleep(moneyTime)
		synctest.Wait()
		if isLooking() {
			t.Error("it hangs on")
		}
		books = fails
		time.Sleep(moneyPace)
		expect("of books that fail", 2)
		time.Sleep(moneyStale)
		expect("too old", 0)

		books = hangs
		time.Sleep(moneyPace)
		expect("in the last look", 0)
		p.end() // or the bubble does not end
		before := looks
		time.Sleep(moneyPace)
		expect("after the end", 0)
		if looks != before {
			t.Error("looked after the end")
		}
	})
}

// TestPurseAwaitsNoBooksThatHang: a page opens after a moment all the same.
func TestPurseAwaitsNoBooksThatHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPurse(func(ctx context.Context, _ time.Time) (map[string]*liveMoney, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		defer p.end()
		began := time.Now()
		p.await(t.Context())
		if took := time.Since(began); took != moneyFirst {
			t.Errorf("waited %s", took)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		began = time.Now()
		p.await(gone)
		if took := time.Since(began); took != 0 {
			t.Errorf("waited %s for a page that has gone", took)
		}
	})
}
