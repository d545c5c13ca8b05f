package proxypool

import (
	"context"
	"sync"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

const (
	moneyPace  = 15 * time.Second // between two looks into the books
	moneyTime  = 2 * time.Second  // for one of them
	moneyFirst = 250 * time.Millisecond
	moneyStale = 2 * time.Minute // figures that are older are not shown
)

// liveMoney is what was spent on a pool.
type liveMoney struct {
	Today usageFigures `json:"today"`
	Month usageFigures `json:"month"`
}

// purse knows what the pools cost. It looks into the books aside, one look at a
// time, so that books that are slow hold up no page. Safe for concurrent use.
type purse struct {
	look  func(context.Context, time.Time) (map[string]*liveMoney, error)
	ctx   context.Context // ends when nobody asks any more
	stop  context.CancelFunc
	group sync.WaitGroup

	mu      sync.Mutex
	money   map[string]*liveMoney // by pool; nil where the books did not answer yet
	counted time.Time             // when the money was
	asked   time.Time             // when the last look began
	looking chan struct{}         // closed when the look that runs ends; nil where none does
}

func newPurse(look func(context.Context, time.Time) (map[string]*liveMoney, error)) *purse {
	p := &purse{look: look}
	p.ctx, p.stop = context.WithCancel(context.Background())
	return p
}

// end breaks off the look that runs, and waits for its end.
func (p *purse) end() {
	p.mu.Lock()
	p.stop()
	p.mu.Unlock()
	p.group.Wait()
}

// known is what was found last, by pool. Where that is due to be looked up again,
// a look begins.
func (p *purse) known(now time.Time) map[string]*liveMoney {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begin(now)
	if now.Sub(p.counted) > moneyStale {
		return nil
	}
	return p.money
}

// await begins the first look, and waits for it a moment: a page that opens has
// its figures at once where the books are as fast as they mostly are.
func (p *purse) await(ctx context.Context) {
	p.mu.Lock()
	p.begin(time.Now())
	looking, first := p.looking, p.money == nil
	p.mu.Unlock()
	if looking == nil || !first {
		return
	}
	timer := time.NewTimer(moneyFirst)
	defer timer.Stop()
	select {
	case <-looking:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// begin begins a look where one is due; the caller holds the lock.
func (p *purse) begin(now time.Time) {
	if p.looking != nil || p.ctx.Err() != nil || now.Sub(p.asked) < moneyPace {
		return
	}
	p.asked = now
	ended := make(chan struct{})
	p.looking = ended
	p.group.Go(func() {
		ctx, cancel := context.WithTimeout(p.ctx, moneyTime)
		defer cancel()
		money, err := p.look(ctx, now)
		p.mu.Lock()
		defer p.mu.Unlock()
		if err == nil {
			p.money, p.counted = money, now
		}
		p.looking = nil
		close(ended)
	})
}

// spent looks up what was spent today and this month, by pool.
func (d *Dashboard) spent(ctx context.Context, now time.Time) (map[string]*liveMoney, error) {
	app := d.current()
	now = now.In(app.where)
	month, today := pool.QuarterOf(pool.MonthStart(now)), pool.QuarterOf(pool.DayStart(now))
	spans := []pool.QuarterSpan{{From: today, To: pool.QuarterOf(now) + 1}}
	if month < today {
		spans = []pool.QuarterSpan{{From: month, To: today}, spans[0]}
	}
	rows, err := app.books.Usage(ctx, pool.UsageQuery{Pool: d.Pool, Spans: spans})
	if err != nil {
		return nil, err
	}
	type sums struct{ today, month pool.Usage }
	byPool := make(map[string]*sums)
	for _, l := range app.pools {
		byPool[l.Name] = new(sums)
	}
	for i := range rows {
		s := byPool[rows[i].Pool]
		if s == nil {
			continue // of a pool that is configured no more
		}
		s.month.Add(rows[i].Usage)
		if rows[i].Span == len(spans)-1 {
			s.today.Add(rows[i].Usage)
		}
	}
	money := make(map[string]*liveMoney, len(byPool))
	for name, s := range byPool {
		flat := 0.0
		for _, proxy := range app.proxiesOf(name, "") {
			flat += proxy.CostPerMonth
		}
		money[name] = &liveMoney{figures(s.today, 0), figures(s.month, flat)}
	}
	return money, nil
}
