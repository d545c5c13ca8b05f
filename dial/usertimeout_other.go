//go:build !linux

package dial

import "syscall"

// setUserTimeout is for Linux alone; elsewhere the system's own timeout holds.
func setUserTimeout(syscall.RawConn) {}
