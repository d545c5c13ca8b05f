package proxytest

import "time"

// Mode is what a proxy does with what comes.
type Mode struct {
	behaviour behaviour
	n         int // status, bytes, or milliseconds
}

type behaviour int

const (
	works behaviour = iota
	refuse
	reset
	status
	silent
	grantThenSilent
	backlogFull
	tlsGarbage
	breakMidAnswer
	nonsense
	endlessHeader
	bodyInConnect200
	dropBeforeAnswer
	dataBehindAnswer
	slow
)

// The modes, besides those that functions make. Where a
// mode says nothing of tunnels that stand already, they go on.
var (
	// Works is a proxy that works.
	Works = Mode{behaviour: works}
	// Refuse listens no more; standing connections are reset.
	Refuse = Mode{behaviour: refuse}
	// Reset accepts and resets; standing connections are reset.
	Reset = Mode{behaviour: reset}
	// Silent accepts and never answers; standing connections are frozen.
	Silent = Mode{behaviour: silent}
	// GrantThenSilent says that the tunnel stands, and then nothing; standing
	// connections are frozen.
	GrantThenSilent = Mode{behaviour: grantThenSilent}
	// BacklogFull listens but accepts nothing, so that connects hang; standing
	// connections are frozen.
	BacklogFull = Mode{behaviour: backlogFull}
	// TLSGarbage grants the tunnel and sends garbage in the target's place.
	TLSGarbage = Mode{behaviour: tlsGarbage}
	// Nonsense answers what is neither HTTP nor SOCKS.
	Nonsense = Mode{behaviour: nonsense}
	// EndlessHeader answers with a header that never ends (SOCKS: Nonsense).
	EndlessHeader = Mode{behaviour: endlessHeader}
	// BodyInConnect200 grants the tunnel in an answer that has both a
	// Content-Length and a Transfer-Encoding, which mean nothing there.
	BodyInConnect200 = Mode{behaviour: bodyInConnect200}
	// DropBeforeAnswer reads the request for a tunnel and closes.
	DropBeforeAnswer = Mode{behaviour: dropBeforeAnswer}
	// DataBehindAnswer sends [EarlyData] in the same write as the answer to
	// CONNECT, before anything of the target (SOCKS: Works).
	DataBehindAnswer = Mode{behaviour: dataBehindAnswer}
)

// EarlyData is what [DataBehindAnswer] sends.
const EarlyData = "early data of the target\n"

// Status answers requests with a status of its own. Through SOCKS, 407 refuses
// the login, a number below 100 is the reply code, 403 reply 2, others reply 5.
func Status(code int) Mode { return Mode{behaviour: status, n: code} }

// BreakMidAnswer closes each tunnel, standing ones too, after that many bytes
// from the target, counted from when the mode was set or the tunnel stood.
func BreakMidAnswer(bytes int) Mode { return Mode{behaviour: breakMidAnswer, n: bytes} }

// Slow works, but waits before each answer of its own and before each piece that
// it hands on, either way, on standing tunnels too.
func Slow(d time.Duration) Mode { return Mode{behaviour: slow, n: int(d.Milliseconds())} }

// freezes tells whether no byte moves on standing connections.
func (m Mode) freezes() bool {
	return m.behaviour == silent || m.behaviour == grantThenSilent || m.behaviour == backlogFull
}

// resets tells whether standing connections are reset.
func (m Mode) resets() bool { return m.behaviour == refuse || m.behaviour == reset }
