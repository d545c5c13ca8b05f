package relay

import (
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	// pipeSize is what one splice can move, and about how late a meter can be.
	pipeSize = 1 << 20
	// maxPipes bounds the pipes, and with them the memory of the system that
	// slow readers can tie up; who gets none reads and writes. It keeps below
	// the 64 MiB that Linux allows a user without privileges, above which pipes
	// get tiny.
	maxPipes = 48
	// idlePipes bounds those that are kept while nobody needs them.
	idlePipes = 16
)

// pipe is where a chunk is between two splices.
type pipe struct {
	r, w int
	held int // bytes in it
}

// pipeStock hands out pipes, and keeps some empty ones.
type pipeStock struct {
	idle chan *pipe
	open atomic.Int64
}

var pipes = pipeStock{idle: make(chan *pipe, idlePipes)}

// take returns an empty pipe; nil where there are none to be had.
func (s *pipeStock) take() *pipe {
	select {
	case p := <-s.idle:
		return p
	default:
	}
	if s.open.Add(1) > maxPipes {
		s.open.Add(-1)
		return nil
	}
	p, err := openPipe()
	if err != nil {
		s.open.Add(-1)
		return nil
	}
	return p
}

// give takes a pipe back. One with bytes in it is closed: they are somebody
// else's.
func (s *pipeStock) give(p *pipe) {
	if p.held == 0 {
		select {
		case s.idle <- p:
			return
		default:
		}
	}
	s.open.Add(-1)
	_ = unix.Close(p.r)
	_ = unix.Close(p.w)
}

func openPipe() (*pipe, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, err
	}
	// A smaller pipe does as well, in more steps.
	_, _ = unix.FcntlInt(uintptr(fds[1]), unix.F_SETPIPE_SZ, pipeSize)
	return &pipe{r: fds[0], w: fds[1]}, nil
}
