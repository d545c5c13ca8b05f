//go:build !unix

package proxytest

import (
	"errors"
	"net"
)

func shortenBacklog(*net.TCPListener) error { return errors.ErrUnsupported }
