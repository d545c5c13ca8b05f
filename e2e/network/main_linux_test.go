package network

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"

	// What is compiled into the program, so that go test knows that a result of
	// before says nothing of it once that has changed.
	_ "github.com/caddy-proxypool/proxypool"
)

// within tells the process that it is in a namespace of its own, or why not.
const within = "E2E_NETWORK_WITHIN"

// atOnce is how many scenarios run at once: they wait for most of their time.
const atOnce = "6"

func TestMain(m *testing.M) {
	switch {
	case os.Getenv("E2E_REAL") == "":
	case os.Getenv(within) == "":
		runWithin()
	case os.Getenv(within) == "yes":
		_ = flag.Set("test.parallel", atOnce)
		if err := run("ip", "link", "set", "lo", "up"); err != nil {
			_ = os.Setenv(within, err.Error())
		}
	}
	caddytest.Main(m)
}

// runWithin runs the tests once more in namespaces of their own, and ends as they
// do. It returns where the system does not let us.
func runWithin() {
	err := startWithin()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		os.Exit(ended.ExitCode())
	}
	if err == nil {
		os.Exit(0)
	}
	_ = os.Setenv(within, err.Error())
}

func startWithin() error {
	runtime.LockOSThread() // the child ends with the thread that started it
	defer runtime.UnlockOSThread()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), within+"=yes")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	return cmd.Run()
}

// needNamespaces says that the test needs a namespace to make networks in.
func needNamespaces(t *testing.T) {
	t.Helper()
	caddytest.Needs(t, "ip")
	why := ""
	if got := os.Getenv(within); got != "yes" {
		why = "making a network namespace: " + got
	} else if tun, err := os.OpenFile(tunDevice, os.O_RDWR, 0); err != nil {
		why = err.Error()
	} else {
		_ = tun.Close()
	}
	if why != "" {
		caddytest.Lacks(t, "a network namespace with TUN devices, which takes root or user namespaces: "+why)
	}
}

// run runs a program, in the network namespace of the thread.
func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("running %s %q: %w: %s", name, args, err, out)
	}
	return nil
}
