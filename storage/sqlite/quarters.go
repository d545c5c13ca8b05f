package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"modernc.org/sqlite"

	"github.com/caddy-proxypool/proxypool/pool"
)

// SQLite hands over a column in more time than it takes to read a whole row.
// Where many quarters are read, a function of ours, quarters(), therefore puts
// all those of a route into one value, as varints.

// quarterColumns is how many arguments quarters has: the quarter, and what
// [pool.Usage] is made of, in that order.
const quarterColumns = 9

// connector opens connections that have our function.
type connector struct {
	source string
	driver *sqlite.Driver
}

func newConnector(source string) (*connector, error) {
	c := &connector{source, new(sqlite.Driver)}
	err := c.driver.RegisterFunction("quarters", &sqlite.FunctionImpl{
		NArgs: quarterColumns,
		MakeAggregate: func(sqlite.FunctionContext) (sqlite.AggregateFunction, error) {
			return new(packer), nil
		},
	})
	return c, err
}

// Connect implements [driver.Connector].
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return c.driver.Open(c.source)
}

// Driver implements [driver.Connector].
func (c *connector) Driver() driver.Driver { return c.driver }

// packer is the function at work on one route.
type packer struct{ packed []byte }

// Step takes a quarter.
func (p *packer) Step(_ *sqlite.FunctionContext, args []driver.Value) error {
	for _, arg := range args {
		n, ok := arg.(int64)
		if !ok {
			return fmt.Errorf("a number in the usage is a %T", arg)
		}
		p.packed = binary.AppendVarint(p.packed, n)
	}
	return nil
}

// WindowInverse is for window functions, which this is not.
func (p *packer) WindowInverse(*sqlite.FunctionContext, []driver.Value) error {
	return errors.New("quarters is not for windows")
}

// WindowValue returns all of them.
func (p *packer) WindowValue(*sqlite.FunctionContext) (driver.Value, error) { return p.packed, nil }

// Final has nothing to clean up.
func (p *packer) Final(*sqlite.FunctionContext) {}

// unpack takes a quarter off what was packed.
func unpack(packed []byte) (q pool.Quarter, u pool.Usage, rest []byte, err error) {
	var n [quarterColumns]int64
	for i := range n {
		value, length := binary.Varint(packed)
		if length <= 0 {
			return 0, u, nil, errors.New("the usage of a route is cut short")
		}
		n[i], packed = value, packed[length:]
	}
	u = pool.Usage{
		Requests: n[1], Failed: n[2], BytesIn: n[3], BytesOut: n[4],
		Cost: pool.Money(n[5]), Saved: pool.Money(n[6]),
		Timed: n[7], Took: time.Duration(n[8]),
	}
	return pool.Quarter(n[0]), u, packed, nil
}

// Interface guards.
var (
	_ driver.Connector         = (*connector)(nil)
	_ sqlite.AggregateFunction = (*packer)(nil)
)
