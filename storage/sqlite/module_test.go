package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func TestProvision(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PROXY_POOL_TEST_DIR", dir)
	t.Setenv("PROXY_POOL_TEST_EMPTY", "")
	relative, err := filepath.Abs("some.db")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ path, want, err string }{
		{path: "", want: filepath.Join(caddy.AppDataDir(), "proxy_pool.db")},
		{path: "some.db", want: relative},
		{path: "{env.PROXY_POOL_TEST_DIR}/deep/p.db", want: filepath.Join(dir, "deep", "p.db")},
		{path: "{env.PROXY_POOL_TEST_EMPTY}", err: "PROXY_POOL_TEST_EMPTY"},
		{path: "{env.PROXY_POOL_TEST_UNSET}/p.db", err: "PROXY_POOL_TEST_UNSET"},
		{path: "{unknown}/p.db", err: "unknown"},
	} {
		s := &Storage{Path: test.path}
		err := s.Provision(caddy.Context{Context: context.Background()})
		switch {
		case test.err != "":
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%q: error %v, expected %q in it", test.path, err, test.err)
			}
		case err != nil || s.Path != test.want || s.StoreID() != "sqlite:"+test.want:
			t.Errorf("%q: path %q, expected %q; error %v", test.path, s.Path, test.want, err)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("provisioning made %v; error %v", files, err)
	}
}

func TestUnmarshalCaddyfile(t *testing.T) {
	for _, test := range []struct{ input, want, err string }{
		{input: "sqlite"},
		{input: "sqlite /var/lib/p.db", want: "/var/lib/p.db"},
		{input: "sqlite {env.HOME}/p.db", want: "{env.HOME}/p.db"},
		{input: "sqlite a b", err: `storage sqlite: unexpected argument "b", at Testfile:1`},
		{input: `sqlite ""`, err: "storage sqlite: the path is empty, expected the path of a file, at Testfile:1"},
		{input: "sqlite a {\n path b\n}", err: "storage sqlite: unexpected block"},
		{input: "sqlite {\n path b\n}", err: "storage sqlite: unexpected block"},
	} {
		var s Storage
		err := s.UnmarshalCaddyfile(caddyfile.NewTestDispenser(test.input))
		switch {
		case test.err != "":
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%q: error %v, expected %q in it", test.input, err, test.err)
			}
		case err != nil || s.Path != test.want:
			t.Errorf("%q: path %q, expected %q; error %v", test.input, s.Path, test.want, err)
		}
	}
}
