package caddytest

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// packages are Debian's of the programs that are not called as their package is.
var packages = map[string]string{
	"basic_ncsa_auth": "squid-openssl",
	"conntrack":       "conntrack",
	"danted":          "dante-server",
	"debootstrap":     "debootstrap",
	"ip":              "iproute2",
	"nft":             "nftables",
	"node":            "nodejs",
	"squid":           "squid-openssl",
	"tc":              "iproute2",
	"tinyproxy":       "tinyproxy-bin",
	"unshare":         "util-linux",

	"python3 django":   "python3-django",
	"python3 requests": "python3-requests",
	"python3 telegram": "python3-python-telegram-bot",
}

// Needs says what a test against the real world needs: programs, or modules of
// Debian's Python as "python3 requests". Such tests run only where E2E_REAL is set.
// Where something is missing the test is skipped, or fails where E2E_REQUIRE is
// set; either names the package to install.
func Needs(t testing.TB, programs ...string) {
	t.Helper()
	if os.Getenv("E2E_REAL") == "" {
		t.Skip("runs with make e2e")
	}
	var missing, install []string
	for _, program := range programs {
		if !there(t, program) {
			missing, install = append(missing, program), append(install, packageOf(program))
		}
	}
	if len(missing) > 0 {
		Lacks(t, fmt.Sprintf("%s (apt-get install %s)", strings.Join(missing, ", "), strings.Join(install, " ")))
	}
}

// Lacks skips a test for want of something that is no program, such as root, or
// fails it where E2E_REQUIRE is set.
func Lacks(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("E2E_REQUIRE") != "" {
		t.Fatalf("missing: %s", what)
	}
	t.Skipf("missing: %s", what)
}

func there(t testing.TB, program string) bool {
	if _, module, ok := strings.Cut(program, "python3 "); ok {
		return exec.CommandContext(t.Context(), Python, "-c", "import "+module).Run() == nil
	}
	return Program(program) != ""
}

// Python is Debian's, which has Debian's modules where another one comes first in
// PATH.
const Python = "/usr/bin/python3"

// PythonWith is a Python that has some modules, such as "requests, django": Debian's,
// or the one in PATH. Where neither has them the test [Lacks] them.
func PythonWith(t testing.TB, modules string) (path string) {
	t.Helper()
	for _, path := range []string{Python, "python3"} {
		if exec.CommandContext(t.Context(), path, "-c", "import "+modules).Run() == nil {
			return path
		}
	}
	Lacks(t, "Python with "+modules+" (apt-get install python3-requests python3-django)")
	return ""
}

// Program is the path of a program, "" where it is not there. Those of servers are
// where the PATH of users does not lead.
func Program(name string) (path string) {
	for _, dir := range []string{"", "/usr/sbin/", "/sbin/", "/usr/lib/squid/"} {
		if path, err := exec.LookPath(dir + name); err == nil {
			return path
		}
	}
	return ""
}

func packageOf(program string) string {
	if name, ok := packages[program]; ok {
		return name
	}
	return program
}
