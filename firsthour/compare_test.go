package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSame(t *testing.T) {
	for name, test := range map[string]struct {
		shown, came string
		want        bool
	}{
		"equal":             {"VPS works\n", "VPS works\n", true},
		"another word":      {"VPS works\n", "VPS is dead\n", false},
		"more came":         {"VPS works\n", "VPS works\nand more\n", false},
		"less came":         {"VPS works\nand more\n", "VPS works\n", false},
		"times":             {`{"time":"2026-11-26T18:42:45.898Z"} 18:42:01`, `{"time":"2027-01-01T00:00:00.001Z"} 01:02:03`, true},
		"a time or null":    {`{"until":null}`, `{"until":"2027-01-01T00:00:00Z"}`, false},
		"date of an answer": {"Date: Thu, 26 Nov 2026 18:42:37 GMT", "Date: Fri, 01 Jan 2027 00:00:00 GMT", true},
		"durations":         {"200 in 3 ms", "200 in 14 ms", true},
		"status":            {"200 in 3 ms", "502 in 3 ms", false},
		"bytes":             {`{"bytes_in":12,"failed":3}`, `{"bytes_in":99,"failed":3}`, true},
		"counts":            {`{"bytes_in":12,"failed":3}`, `{"bytes_in":12,"failed":4}`, false},
		"anything":          {`{"id":"default/VPS", ... "active":false, ...`, `{"id":"default/VPS","x":[1],"active":false,"z":1}`, true},
		"not the same":      {`{"id":"default/VPS", ... "active":false, ...`, `{"id":"default/VPS","x":[1],"active":true,"z":1}`, false},
		"wrapped":           {"{\"rows\":[\n {\"a\":1},\n {\"b\":2}]}\n", `{"rows":[{"a":1},{"b":2}]}`, true},
		"a dot is a dot":    {"v1.2", "v1x2", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := same(test.shown, test.came); got != test.want {
				t.Errorf("got %t: %q and %q", got, shape(test.shown), shape(test.came))
			}
		})
	}
}

func TestBlocks(t *testing.T) {
	const page = "# A\n\nType:\n\n```console\n$ a b\nsays\nmore\n\n$ c\n```\n\nSo.\n\n```sh\n# no command\nd\n```\n"
	all, err := blocks(page)
	if err != nil || len(all) != 2 {
		t.Fatalf("%d blocks, %v", len(all), err)
	}
	steps, err := all[0].steps()
	if err != nil {
		t.Fatal(err)
	}
	steps = append(steps, all[1].lines()...)
	want := []step{{6, "a b", "says\nmore\n\n"}, {10, "c", ""}, {17, "d", ""}}
	if diff := cmp.Diff(want, steps, cmp.AllowUnexported(step{})); diff != "" {
		t.Error(diff)
	}
	if all[1].before != "\nSo.\n\n" {
		t.Errorf("before: %q", all[1].before)
	}
	for _, wrong := range []string{"```\nopen\n", "```console\nno command\n```\n"} {
		all, err := blocks(wrong)
		if err == nil {
			_, err = all[0].steps()
		}
		if err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

func TestAbsent(t *testing.T) {
	const came = "18:00:00  VPS: healthy → down\n18:00:00  GET /x  200 in 1 ms  VPS:ok\n"
	if missing := absent("19:00:00  GET /x  200 in 5 ms  VPS:ok\n", came); len(missing) != 0 {
		t.Errorf("missing: %q", missing)
	}
	twice := "1:00:00  GET /x  200 in 5 ms  VPS:ok\n"
	if missing := absent(twice+twice, came); len(missing) == 0 {
		t.Error("a line that came once was shown twice")
	}
}
