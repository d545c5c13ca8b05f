package dial

import (
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
)

// gate is what every address of one name goes through on its way to be dialled.
// Addresses of both families are dialled at once.
type gate struct {
	control func(network, address string, c syscall.RawConn) error
	passed  atomic.Bool // one at least
}

// pass is the Control of a [net.Dialer].
func (g *gate) pass(network, address string, c syscall.RawConn) error {
	if g.control != nil {
		if err := g.control(network, address, c); err != nil {
			return err
		}
	}
	g.passed.Store(true)
	setUserTimeout(c)
	return nil
}

// errOthersFailed stands for what [net.Dialer] does not tell.
var errOthersFailed = errors.New("the address that is allowed could not be reached")

// cause is why a dial failed. [net.Dialer] returns the error of the first
// address; where that was forbidden and another one was tried, the dial is no
// longer a forbidden one, but one that failed.
func (g *gate) cause(err error) error {
	if forbidden := (*Error)(nil); g.passed.Load() && errors.As(err, &forbidden) {
		return fmt.Errorf("%w (%s)", errOthersFailed, forbidden.Error())
	}
	return err
}
