package alert

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// How often the pools are looked at where nothing calls for it sooner.
	lookEvery = time.Second
	// How many events wait to be looked at. Beyond that the pools are compared
	// with what was told.
	maxEvents = 4096
	// How long the last letters may take when the process ends.
	closeWithin = graceOfSend + time.Second
	// How long a test of all destinations may take.
	testWithin = 30 * time.Second
	// How long a report may take to be made, and when it is tried again.
	reportWithin, reportRetry = 30 * time.Second, time.Minute
)

// NotePrefix is what the names of all notes in the store begin with.
const NotePrefix = "alerts/"

const (
	notePool   = NotePrefix + "pool/" // and the pool's name: its rules
	noteReport = NotePrefix + "report"
	noteNames  = NotePrefix + "destinations" // their names, as they were followed last
)

// Settings are what a configuration says of alerts.
type Settings struct {
	Pools        []Pool
	Cooldown     time.Duration
	Destinations []Destination
	Daily        *Clock // nil for no report

	// Report sums up what happened between two times. It may take its time.
	Report func(ctx context.Context, from, to time.Time) (Report, error)

	Hooks Hooks
}

// Hooks are told what the log should say and what other programs may want to
// know. They must not block. Those that are nil are not called.
type Hooks struct {
	Failed    func(destination string, err error)           // an outage began; the error says what to do
	Recovered func(destination string, after time.Duration) // it is over
	Dropped   func(destination string, alerts int, why string)
	Moved     func(from, to string, alerts int)   // to the destination that came in another's place
	Idle      func(destination string, err error) // it does not do what a [Runner] does; the error says what to do
	Running   func(destination string)            // it does again
	Edge      func(Edge)
}

func (h *Hooks) failed(destination string, err error) {
	if h.Failed != nil {
		h.Failed(destination, err)
	}
}

func (h *Hooks) recovered(destination string, after time.Duration) {
	if h.Recovered != nil {
		h.Recovered(destination, after)
	}
}

func (h *Hooks) dropped(destination string, alerts int, why string) {
	if h.Dropped != nil {
		h.Dropped(destination, alerts, why)
	}
}

func (h *Hooks) idle(destination string, err error) {
	if h.Idle != nil {
		h.Idle(destination, err)
	}
}

func (h *Hooks) running(destination string) {
	if h.Running != nil {
		h.Running(destination)
	}
}

// Desk takes in what happens, has the rules decide what is told, and sees to it
// that it arrives. It outlives reloads: it goes by the settings it got last. Its
// methods are safe for concurrent use, and none of them waits but Test and Close.
type Desk struct {
	keeper Keeper
	outbox *outbox
	wake   chan struct{}
	stop   chan struct{}
	done   sync.WaitGroup

	mu      sync.Mutex // guards what follows
	started bool
	closed  bool
	wanted  *Settings // not followed yet
	events  []Event
	lost    bool // some events were
	alerts  []*Alert
	kept    []Kept
	senders map[string]*sender
	tallies map[string]*tally          // by destination
	ending  map[string]<-chan struct{} // closed when the last sender to a name that was stopped has ended
}

// NewDesk makes a desk that does nothing before the first Follow.
func NewDesk(k Keeper) *Desk {
	return &Desk{
		keeper: k, outbox: newOutbox(k), senders: make(map[string]*sender), ending: make(map[string]<-chan struct{}),
		wake: make(chan struct{}, 1), stop: make(chan struct{}),
	}
}

// Follow makes the settings of a configuration that starts hold.
func (d *Desk) Follow(s Settings) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.countFor(&s)
	d.wanted = &s
	d.replaceSenders(&s)
	if !d.started {
		d.started = true
		d.done.Go(newClerk(d).run)
	}
	notify(d.wake)
}

// replaceSenders stops the senders of before, and starts those of the settings
// after them. A destination may have left, and come back while what was on its
// way to it still is.
func (d *Desk) replaceSenders(s *Settings) {
	before := d.senders
	maps.DeleteFunc(d.ending, func(_ string, ended <-chan struct{}) bool { return isClosed(ended) })
	for name, old := range before {
		d.ending[name] = old.ended
	}
	d.senders = make(map[string]*sender, len(s.Destinations))
	hooks := s.Hooks
	for _, destination := range s.Destinations {
		name := destination.Name()
		next := &sender{
			Destination: destination, outbox: d.outbox, keeper: d.keeper, hooks: &hooks,
			after: d.ending[name], ended: make(chan struct{}), health: Health{Name: name, OK: true}, tally: d.tallies[name],
		}
		next.ctx, next.stop = context.WithCancel(context.Background())
		if old, ok := before[name]; ok {
			next.inherit(old)
		}
		d.senders[name] = next
		d.done.Go(next.run)
	}
	for _, old := range before {
		old.stop()
	}
}

func isClosed(ended <-chan struct{}) bool {
	select {
	case <-ended:
		return true
	default:
		return false
	}
}

// Event takes in a change of a proxy's status.
func (d *Desk) Event(e Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.events) >= maxEvents {
		d.lost = true
	} else {
		d.events = append(d.events, e)
	}
	notify(d.wake)
}

// Used takes in that a share of a budget was used, or a multiple of a traffic
// alert. Whoever tells does so once.
func (d *Desk) Used(kind Kind, pool string, b *Budget) {
	a := &Alert{Kind: kind, Priority: Normal, Time: time.Now().UTC(), Pool: pool, Budget: b}
	if b.Percent >= 100 {
		a.Priority = High
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.alerts) < maxEvents {
		d.alerts = append(d.alerts, a)
	}
	notify(d.wake)
}

// Restore takes in what a store has that was just opened.
func (d *Desk) Restore(k Kept) {
	d.outbox.restore(k)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kept = append(d.kept, k)
	notify(d.wake)
}

// Health tells how the deliveries go, by destination in the order of their names.
func (d *Desk) Health() []Health {
	d.mu.Lock()
	senders := slices.Collect(maps.Values(d.senders))
	d.mu.Unlock()
	list := make([]Health, 0, len(senders))
	for _, s := range senders {
		list = append(list, s.is())
	}
	slices.SortFunc(list, func(a, b Health) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Result is what came of a test of one destination.
type Result struct {
	Name string
	Err  error // nil where it arrived
}

// Test sends a test to every destination now, past what waits, and returns what
// came of it, by destination in the order of their names. [Desk.Health] tells it,
// too.
func (d *Desk) Test(ctx context.Context) []Result {
	ctx, cancel := context.WithTimeout(ctx, testWithin)
	defer cancel()
	d.mu.Lock()
	senders := slices.Collect(maps.Values(d.senders))
	d.mu.Unlock()
	now := time.Now().UTC()
	results := make([]Result, len(senders))
	var testing sync.WaitGroup
	for i, s := range senders {
		testing.Go(func() {
			a := &Alert{Version: Version, ID: now.UnixMicro(), Kind: KindTest, Priority: Normal, Time: now}
			_, err := s.Send(ctx, a, 0)
			s.tested(err)
			results[i] = Result{s.Name(), err}
		})
	}
	testing.Wait()
	slices.SortFunc(results, func(a, b Result) int { return strings.Compare(a.Name, b.Name) })
	return results
}

// Close ends all deliveries. What was not delivered stays in the store.
func (d *Desk) Close() {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return
	}
	d.closed = true
	for _, s := range d.senders {
		s.stop()
	}
	close(d.stop)
	d.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.done.Wait()
	}()
	select {
	case <-ended:
	case <-time.After(closeWithin):
	}
}

// note is what is stored of something, as JSON.
func note(v any) []byte {
	body, _ := json.Marshal(v) // strings, numbers and times of this century, which cannot fail
	return body
}
