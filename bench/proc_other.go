//go:build !linux

package main

import (
	"errors"
	"io"
	"os/exec"
	"time"
)

type cpuSet uint64

var errOnlyLinux = errors.New("the benchmark reads /proc and needs Linux")

func allowedCPUs() (cpuSet, error)                 { return 0, errOnlyLinux }
func startOn(*exec.Cmd, cpuSet) error              { return errOnlyLinux }
func cpuTime(int) (time.Duration, error)           { return 0, errOnlyLinux }
func machineTime() (time.Duration, error)          { return 0, errOnlyLinux }
func residentBytes(int) (all, anon int64, e error) { return 0, 0, errOnlyLinux }
func openFiles(int) (int, error)                   { return 0, errOnlyLinux }
func mayOpen(uint64) (uint64, error)               { return 0, errOnlyLinux }
func isMemory(string) (bool, error)                { return false, errOnlyLinux }
func listenFull(string) (io.Closer, error)         { return nil, errOnlyLinux }
