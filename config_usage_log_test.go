package proxypool

import (
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

func TestUsageLogDefaults(t *testing.T) {
	absent := (*UsageLogConfig)(nil).withDefaults()
	if absent.Enabled || *absent.Retention != *lasts(30 * 24 * time.Hour) {
		t.Errorf("got %s", canonical(t, absent))
	}
	given := (&UsageLogConfig{Enabled: true, Retention: lasts(time.Hour)}).withDefaults()
	if !given.Enabled || *given.Retention != *lasts(time.Hour) {
		t.Errorf("got %s", canonical(t, given))
	}
}

// TestRedact compiles rules and applies them as the log does.
func TestRedact(t *testing.T) {
	t.Setenv("PP_KEY", `a+b$1{2}\`)
	t.Setenv("PP_SHOWN", "$1")
	for name, test := range map[string]struct {
		rule       RedactConfig
		path, want string
	}{
		"plain":                {RedactConfig{"/keys/[^/]+", "/keys/***"}, "/keys/abc/x", "/keys/***/x"},
		"removed":              {RedactConfig{"/keys/[^/]+", ""}, "/keys/abc/x", "/x"},
		"group":                {RedactConfig{"(/keys/)[^/]+", "$1"}, "/keys/abc/x", "/keys//x"},
		"group in braces":      {RedactConfig{"/([a-z]+)/[0-9]{3}", "/${1}x"}, "/keys/123", "/keysx"},
		"whole":                {RedactConfig{"abc", "<$0>"}, "/abc", "/<abc>"},
		"group with a name":    {RedactConfig{"(?P<a>b)c", "${a}$a"}, "/bc", "/bb"},
		"dollar sign":          {RedactConfig{"abc", "$$1"}, "/abc", "/$1"},
		"dollar sign alone":    {RedactConfig{"abc", "$ ${"}, "/abc", "/$ ${"},
		"value is literal":     {RedactConfig{"/{env.PP_KEY}/[0-9]{2}", "/***"}, `/a+b$1{2}\/42`, "/***"},
		"replacement, literal": {RedactConfig{"(abc)", "{env.PP_SHOWN}"}, "/abc", "/$1"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := test.rule.validate(); err != nil {
				t.Errorf("before its placeholders are replaced: %v", err)
			}
			if err := test.rule.resolve(caddy.NewReplacer()); err != nil {
				t.Fatal(err)
			}
			if err := test.rule.validate(); err != nil {
				t.Fatal(err)
			}
			re, err := test.rule.compile()
			if err != nil {
				t.Fatal(err)
			}
			if got := re.ReplaceAllString(test.path, test.rule.Replacement); got != test.want {
				t.Errorf("got %s, expected %s", got, test.want)
			}
		})
	}
}

// TestRedactShowsNothing has errors that could show what the rule is to hide.
func TestRedactShowsNothing(t *testing.T) {
	t.Setenv("PP_KEY", "hunter2")
	for name, rule := range map[string]RedactConfig{
		"regexp":      {"hunter2(", "***"},
		"escape":      {`hunter2\y`, "***"},
		"replacement": {"x", "$hunter2"},
		"value":       {"{env.PP_KEY}(", "***"},
		"file":        {"{file./does/not/exist}hunter2", "***"},
	} {
		t.Run(name, func(t *testing.T) {
			err := rule.resolve(caddy.NewReplacer())
			if err == nil {
				err = rule.validate()
			}
			if err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got the error %v, expected one that does not show it", err)
			}
		})
	}
}
