package dial

import (
	"net"
	"sync/atomic"
	"testing"
)

// sink takes whatever is written.
type sink struct {
	net.Conn
	took atomic.Int64
}

func (s *sink) Write(p []byte) (int, error) {
	s.took.Add(int64(len(p)))
	return len(p), nil
}

// TestSealIsCertain races a write with the seal: where the seal says that
// nothing was written, nothing ever is.
func TestSealIsCertain(t *testing.T) {
	for range 20_000 {
		dst := new(sink)
		s := &stream{Conn: dst}
		began := s.writes.Load()
		written := make(chan error)
		go func() {
			_, err := s.Write([]byte("POST"))
			written <- err
		}()
		unsent := s.seal(began)
		err := <-written
		if unsent && (err == nil || dst.took.Load() > 0) {
			t.Fatal("written behind the seal")
		}
		if _, err := s.Write([]byte("more")); err == nil {
			t.Fatal("a write after the seal")
		}
	}
}
