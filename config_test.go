package proxypool

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	parse "github.com/caddy-proxypool/proxypool/caddyfile"
)

// TestAppMistakes has what is refused in JSON, also what no Caddyfile can say.
func TestAppMistakes(t *testing.T) {
	t.Setenv("PP_BRACE", "{env.PP_POOL}")
	t.Setenv("PP_POOL", "a/b")
	proxyWith := func(more string) string {
		return `{"pools": [{"name": "main", "proxies": [{"name": "X", "url": "http://192.0.2.1", ` + more + `}]}]}`
	}
	poolWith := func(more string) string {
		return `{"pools": [{"name": "main", "proxies": [{"name": "X", "url": "direct"}], ` + more + `}]}`
	}
	for name, test := range map[string]struct{ config, want string }{
		"another store":                      {`{"storage": {"module": "postgres"}}`, `storage: unknown module "postgres", expected one of memory, sqlite`},
		"storage in another case":            {`{"storage": {"Module": "memory", "path": "secret"}}`, `storage: expected a "module", the name of a store`},
		"storage without module":             {`{"storage": {}}`, `storage: expected a "module", the name of a store`},
		"retention":                          {`{"usage_log": {"enabled": true, "retention": "30m"}}`, `usage_log: retention: must be at least one hour, got 30m0s`},
		"retention of nothing":               {`{"usage_log": {"retention": 0}}`, `usage_log: retention: must be more than 0, got 0s`},
		"retention off":                      {`{"usage_log": {"retention": -1}}`, `usage_log: retention: must be more than 0, got -1ns`},
		"retention of an age":                {`{"usage_log": {"retention": "3651d"}}`, `usage_log: retention: must be at most ten years, got 87624h0m0s`},
		"null rule":                          {`{"usage_log": {"redact": [null]}}`, `usage_log: redact: number 1: expected a regular expression that does not match the empty string`},
		"rule without a regexp":              {`{"usage_log": {"redact": [{"replacement": "x"}]}}`, `usage_log: redact: number 1: expected a regular expression that does not match the empty string`},
		"second rule":                        {`{"usage_log": {"redact": [{"regexp": "a", "replacement": ""}, {"regexp": "a[", "replacement": ""}]}}`, `usage_log: redact: number 2: expected a regular expression as in Go: missing closing ]`},
		"rule with a brace left open":        {`{"usage_log": {"redact": [{"regexp": "{env.(", "replacement": "x"}]}}`, `usage_log: redact: number 1: expected a regular expression as in Go: missing closing )`},
		"rule for everything":                {`{"usage_log": {"redact": [{"regexp": "^", "replacement": "x"}]}}`, `usage_log: redact: number 1: expected a regular expression that does not match the empty string`},
		"rule with a group of the future":    {`{"usage_log": {"redact": [{"regexp": "(a)", "replacement": "$2"}]}}`, `usage_log: redact: number 1: the replacement names a group that the regular expression does not have; before letters and digits ${1} is written for $1, and $$ for a dollar sign`},
		"rule with an unset variable":        {`{"usage_log": {"redact": [{"regexp": "{env.PP_UNSET}", "replacement": "x"}]}}`, `usage_log: redact: number 1: placeholder {env.PP_UNSET} has no value`},
		"replacement with an unset variable": {`{"usage_log": {"redact": [{"regexp": "a", "replacement": "{env.PP_UNSET}"}]}}`, `usage_log: redact: number 1: placeholder {env.PP_UNSET} has no value`},
		"time zone":                          {`{"timezone": "Atlantis/Capital"}`, `timezone: expected a name such as Asia/Tehran, got "Atlantis/Capital"`},
		"time zone that is a URL":            {`{"timezone": "http://user:secret@h"}`, `timezone: expected a name such as Asia/Tehran, got (a URL, not shown)`},
		"pool name that is a URL":            {`{"pools": [{"name": "http://user:secret@h"}]}`, `pool (a URL, not shown): expected a name of 1 to 64 of A-Z a-z 0-9 . _ -, got (a URL, not shown)`},
		"time zone unset":                    {`{"timezone": "{env.PP_UNSET}"}`, `timezone: evaluated placeholder {env.PP_UNSET} is empty`},
		"null pool":                          {`{"pools": [null]}`, `pools: number 1 must not be null`},
		"null proxy":                         {`{"pools": [{"proxies": [null]}]}`, `pool "default": proxies: number 1 must not be null`},
		"null block":                         {poolWith(`"block": [null]`), `pool "main": block: number 1 must not be null`},
		"pool without proxies":               {`{"pools": [{}]}`, `pool "default": expected at least one proxy`},
		"pools of one name":                  {`{"pools": [{"proxies": [{"name": "X", "url": "direct"}]}, {"name": "default", "proxies": [{"name": "X", "url": "direct"}]}]}`, `pool "default": given twice; its name must be its own`},
		"pool named direct":                  {`{"pools": [{"name": "direct"}]}`, `pool "direct": expected another name than "direct", which stands for no proxy at all`},
		"pool name out of variable":          {`{"pools": [{"name": "{env.PP_POOL}"}]}`, `pool "a/b": expected a name of 1 to 64 of A-Z a-z 0-9 . _ -, got "a/b"`},
		"pool name with braces":              {`{"pools": [{"name": "{env.PP_BRACE}"}]}`, `pool "{env.PP_POOL}": name: the value of {env.PP_BRACE} must not hold a brace`},
		"order":                              {poolWith(`"order": "random"`), `pool "main": order: expected one of first, round_robin, least_latency, got "random"`},
		"pool max_failures":                  {poolWith(`"max_failures": 0`), `pool "main": max_failures: must be at least 1, got 0`},
		"proxy without a name":               {`{"pools": [{"proxies": [{"url": "direct"}]}]}`, `pool "default": proxy "": expected a name of 1 to 64 printable characters without space, "/" and ":", got ""`},
		"proxies of one name":                {`{"pools": [{"proxies": [{"name": "X", "url": "direct"}, {"name": "X", "url": "direct"}]}]}`, `pool "default": proxy "X": given twice; its name must be its own`},
		"proxy without URL":                  {`{"pools": [{"proxies": [{"name": "X"}]}]}`, `pool "default": proxy "X": expected a URL after the name, or http_url and https_url`},
		"negative cost":                      {proxyWith(`"cost_per_gb": -1`), `pool "main": proxy "X": cost_per_gb: must not be negative, got -1`},
		"large cost":                         {proxyWith(`"cost_per_month": 1e300`), `pool "main": proxy "X": cost_per_month: must be at most 1e+06, got 1e+300`},
		"priority":                           {proxyWith(`"priority": 9999999999`), `pool "main": proxy "X": priority: must be at most 1000000, got 9999999999`},
		"proxy max_failures":                 {proxyWith(`"max_failures": -1`), `pool "main": proxy "X": max_failures: must be at least 1, got -1`},
		"type":                               {proxyWith(`"type": "mobile"`), `pool "main": proxy "X": type: expected one of vps, datacenter, residential, other, got "mobile"`},
		"http_url":                           {proxyWith(`"http_url": "htp://user:secret@h"`), `pool "main": proxy "X": http_url: expected the scheme http, https, socks5 or socks5h, or the word direct, got "htp"`},
		"budget of nothing":                  {proxyWith(`"budget": {}`), `pool "main": proxy "X": budget: expected an amount, usd or gb`},
		"budget without amount":              {proxyWith(`"budget": {"per": "month"}`), `pool "main": proxy "X": budget: expected an amount, usd or gb`},
		"budget of both":                     {proxyWith(`"cost_per_gb": 12, "budget": {"usd": 50, "gb": 5, "per": "month"}`), `pool "main": proxy "X": budget: expected one amount, usd or gb, got both`},
		"budget without period":              {proxyWith(`"budget": {"gb": 5}`), `pool "main": proxy "X": budget: per: expected day, month or total`},
		"budget per week":                    {proxyWith(`"budget": {"gb": 5, "per": "week"}`), `pool "main": proxy "X": budget: per: expected one of day, month, total, got "week"`},
		"budget of 0 dollars":                {proxyWith(`"cost_per_gb": 12, "budget": {"usd": 0, "per": "day"}`), `pool "main": proxy "X": budget: usd: must be at least 0.01, got 0`},
		"budget of a fortune":                {proxyWith(`"cost_per_gb": 12, "budget": {"usd": 1e7, "per": "day"}`), `pool "main": proxy "X": budget: usd: must be at most 1e+06, got 1e+07`},
		"budget of 0 bytes":                  {proxyWith(`"budget": {"gb": 0, "per": "day"}`), `pool "main": proxy "X": budget: gb: must be from 1MB to 1024TB, got 0GB`},
		"budget of debts":                    {proxyWith(`"budget": {"gb": -5, "per": "day"}`), `pool "main": proxy "X": budget: gb: must be from 1MB to 1024TB, got -5GB`},
		"budget of all bytes":                {proxyWith(`"budget": {"gb": 1e300, "per": "day"}`), `pool "main": proxy "X": budget: gb: must be from 1MB to 1024TB, got 1e+300GB`},
		"budget that lasts":                  {proxyWith(`"budget": {"usd": 50, "per": "month"}`), `pool "main": proxy "X": budget: dollars are never spent without a cost_per_gb, expected one, or a budget in GB`},
		"traffic alert at once":              {proxyWith(`"traffic_alert": 0`), `pool "main": proxy "X": traffic_alert: must be from 1MB to 1024TB, got 0 bytes`},
		"traffic alert in GB":                {proxyWith(`"traffic_alert": 5`), `pool "main": proxy "X": traffic_alert: must be from 1MB to 1024TB, got 5 bytes`},
		"traffic alert below off":            {proxyWith(`"traffic_alert": -2`), `pool "main": proxy "X": traffic_alert: must be from 1MB to 1024TB, got -2 bytes`},
		"traffic alert never":                {proxyWith(`"traffic_alert": 1125899906842625`), `pool "main": proxy "X": traffic_alert: must be from 1MB to 1024TB, got 1125899906842625 bytes`},
		"trust pool of http proxy":           {proxyWith(`"tls_trust_pool": {"provider": "system"}`), `pool "main": proxy "X": tls_trust_pool: expected an https:// proxy, no other has TLS of its own`},
		"connect_timeout":                    {poolWith(`"connect_timeout": 0`), `pool "main": connect_timeout: must be more than 0, got 0s`},
		"hedge_delay":                        {poolWith(`"hedge_delay": "-5s"`), `pool "main": hedge_delay: must not be negative, got -5s`},
		"hedge_metered_delay":                {poolWith(`"hedge_metered_delay": -2`), `pool "main": hedge_metered_delay: must not be negative, got -2ns`},
		"response_timeout":                   {poolWith(`"response_timeout": -1`), `pool "main": response_timeout: must not be negative, got -1ns`},
		"max_tries":                          {poolWith(`"max_tries": -1`), `pool "main": max_tries: must not be negative, got -1`},
		"replay_buffer":                      {poolWith(`"replay_buffer": -1`), `pool "main": replay_buffer: must not be negative, got -1`},
		"keepalive":                          {poolWith(`"keepalive": "3651d"`), `pool "main": keepalive: must be at most ten years, got 87624h0m0s`},
		"no check URLs":                      {poolWith(`"health_check": {"urls": []}`), `pool "main": health_check: urls: expected at least one`},
		"check URL":                          {poolWith(`"health_check": {"urls": ["ftp://h/bot123:secret"]}`), `pool "main": health_check: urls: number 1: expected the scheme http or https, got "ftp"`},
		"check URL with a fragment":          {poolWith(`"health_check": {"urls": ["http://h/#x"]}`), `pool "main": health_check: urls: number 1: expected a URL without a fragment`},
		"no statuses":                        {poolWith(`"health_check": {"expect": []}`), `pool "main": health_check: expect: expected at least one status`},
		"status":                             {poolWith(`"health_check": {"expect": [6]}`), `pool "main": health_check: expect: expected a status from 100 to 599 or, for a class, one digit from 1 to 5, got 6`},
		"interval":                           {poolWith(`"health_check": {"interval": 0}`), `pool "main": health_check: interval: must be more than 0, got 0s`},
		"passes":                             {poolWith(`"health_check": {"passes": 0}`), `pool "main": health_check: passes: must be at least 1, got 0`},
		"concurrency":                        {poolWith(`"health_check": {"concurrency": 0}`), `pool "main": health_check: concurrency: must be at least 1, got 0`},
		"empty block":                        {poolWith(`"block": [{}]`), `pool "main": block: expected a status or a header to recognise an answer by`},
		"block status":                       {poolWith(`"block": [{"status": [600]}]`), `pool "main": block: status: expected a status from 100 to 599 or, for a class, one digit from 1 to 5, got 600`},
		"block header":                       {poolWith(`"block": [{"header": {"X-A": []}}]`), `pool "main": block: header: X-A: expected at least one pattern, "*" for any value`},
		"block for":                          {poolWith(`"block": [{"status": [403], "for": 0}]`), `pool "main": block: for: must be more than 0, got 0s`},
		"block tries":                        {poolWith(`"block": [{"status": [403], "tries": 0}]`), `pool "main": block: tries: must be at least 1, got 0`},
	} {
		t.Run(name, func(t *testing.T) {
			c := new(AppConfig)
			if err := caddy.StrictUnmarshalJSON([]byte(test.config), c); err != nil {
				t.Fatal(err)
			}
			err := c.resolve(caddy.NewReplacer())
			if err == nil {
				err = c.validate()
			}
			if err == nil || err.Error() != test.want {
				t.Errorf("got\n%v\nexpected\n%s", err, test.want)
			}
		})
	}
}

func TestUnknownKeys(t *testing.T) {
	for name, config := range map[string]string{
		"app":          `{"pool": []}`,
		"pool":         `{"pools": [{"lb_policy": "first"}]}`,
		"proxy":        `{"pools": [{"proxies": [{"weight": 1}]}]}`,
		"health check": `{"pools": [{"health_check": {"url": "http://h"}}]}`,
		"block":        `{"pools": [{"block": [{"body": "x"}]}]}`,
		"budget":       `{"pools": [{"proxies": [{"budget": {"eur": 50}}]}]}`,
		"usage log":    `{"usage_log": {"format": "json"}}`,
		"redact":       `{"usage_log": {"redact": [{"path": "/"}]}}`,
		"alerts":       `{"alerts": {"webhook": "https://h"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if err := caddy.StrictUnmarshalJSON([]byte(config), new(AppConfig)); err == nil {
				t.Error("expected an error")
			}
		})
	}
}

func TestResolve(t *testing.T) {
	t.Setenv("PP_NAME", "main")
	t.Setenv("PP_ZONE", "Asia/Tehran")
	t.Setenv("PP_PATTERN", "{x}*")
	c := new(AppConfig)
	err := json.Unmarshal([]byte(`{"timezone": "{env.PP_ZONE}", "pools": [
		{"proxies": [{"name": "a_{env.PP_NAME}", "url": "http://user:{env.PP_NAME}@192.0.2.1"}]},
		{"name": "{env.PP_NAME}", "proxies": [{"name": "{X}", "url": "direct"}],
			"health_check": {"urls": ["https://h/{env.PP_NAME}"]}, "block": [{"header": {"X": ["{env.PP_PATTERN}"]}}]}]}`), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.validate(); err != nil {
		t.Errorf("before its placeholders are replaced: %v", err)
	}
	if err := c.resolve(caddy.NewReplacer()); err != nil {
		t.Fatal(err)
	}
	if err := c.validate(); err != nil {
		t.Error(err)
	}
	got := []string{
		c.Timezone, c.Pools[0].Name, c.Pools[0].Proxies[0].Name, c.Pools[0].Proxies[0].URL,
		c.Pools[1].Name, c.Pools[1].Proxies[0].Name, c.Pools[1].HealthCheck.URLs[0], c.Pools[1].Block[0].Header["X"][0],
	}
	want := []string{
		"Asia/Tehran", "default", "a_main", "http://user:{env.PP_NAME}@192.0.2.1",
		"main", "{X}", "https://h/main", "{x}*",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, expected %q", got, want)
	}
}

func TestLocation(t *testing.T) {
	if got, err := new(AppConfig).location(); err != nil || got != time.Local {
		t.Errorf("without a time zone: got %v, %v, expected the server's", got, err)
	}
	got, err := (&AppConfig{Timezone: "Asia/Tehran"}).location()
	if err != nil {
		t.Fatal(err)
	}
	const want = "2026-01-01 03:30"
	if clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).In(got).Format("2006-01-02 15:04"); clock != want {
		t.Errorf("midnight is %s in Tehran, expected %s", clock, want)
	}
}

func TestForwardOver(t *testing.T) {
	front := ForwardConfig{MaxTries: new(0), HedgeDelay: new(HedgeDelay(parse.Off))}
	pool := ForwardConfig{MaxTries: new(2), Keepalive: lasts(time.Second), TLSTrustPoolRaw: json.RawMessage(`{}`)}
	want := defaultForward()
	want.MaxTries, want.HedgeDelay = front.MaxTries, front.HedgeDelay
	want.Keepalive, want.TLSTrustPoolRaw = pool.Keepalive, pool.TLSTrustPoolRaw
	got := front.Over(pool).Over(defaultForward())
	if canonical(t, got) != canonical(t, want) {
		t.Errorf("got %s, expected %s", canonical(t, got), canonical(t, want))
	}
}

// TestDefaultsAreComplete finds an option that was added without its default,
// and one that Over forgets.
func TestDefaultsAreComplete(t *testing.T) {
	nothing := new(HealthCheckConfig)
	for name, config := range map[string]any{
		"forward":      ForwardConfig{}.Over(defaultForward()),
		"health check": nothing.withDefaults(),
		"no checks":    (*HealthCheckConfig)(nil).withDefaults(),
		"block":        BlockConfig{}.withDefaults(),
		"usage log":    new(UsageLogConfig).withDefaults(),
		"no log":       (*UsageLogConfig)(nil).withDefaults(),
		"alerts":       new(AlertsConfig).withDefaults(),
		"no alerts":    (*AlertsConfig)(nil).withDefaults(),
	} {
		v := reflect.ValueOf(config)
		for i := range v.NumField() {
			if f := v.Field(i); f.Kind() == reflect.Pointer && f.IsNil() {
				t.Errorf("%s: %s has no default", name, v.Type().Field(i).Name)
			}
		}
	}
}

func TestHedgeDelayJSON(t *testing.T) {
	for name, test := range map[string]struct {
		json string
		want HedgeDelay
		out  string
	}{
		"auto":     {`"auto"`, HedgeAuto, `"auto"`},
		"off":      {`-1`, HedgeDelay(parse.Off), `-1`},
		"zero":     {`0`, 0, `0`},
		"duration": {`"250ms"`, HedgeDelay(250 * time.Millisecond), `250000000`},
	} {
		t.Run(name, func(t *testing.T) {
			var got HedgeDelay
			if err := json.Unmarshal([]byte(test.json), &got); err != nil || got != test.want {
				t.Fatalf("got %v, %v", got, err)
			}
			if out, err := json.Marshal(got); err != nil || string(out) != test.out {
				t.Errorf("became %s, %v", out, err)
			}
		})
	}
	if err := json.Unmarshal([]byte(`"automatic"`), new(HedgeDelay)); err == nil {
		t.Error("expected an error for another word")
	}
}

func TestFrontMistakes(t *testing.T) {
	t.Setenv("PP_TARGET", "https://api.example.com/path")
	for name, test := range map[string]struct {
		config interface {
			loaded
			resolve(*caddy.Replacer) error
		}
		want string
	}{
		"no target":            {&HandlerConfig{}, "target: expected the URL of a target"},
		"target in a variable": {&HandlerConfig{Target: "{env.PP_TARGET}"}, "target: expected a target to end"},
		"target unset":         {&HandlerConfig{Target: "{env.PP_UNSET}"}, "target: evaluated placeholder {env.PP_UNSET} is empty"},
		"pool":                 {&HandlerConfig{Target: "https://h", Pool: "a b"}, `pool: expected a name of 1 to 64`},
		"max_tries":            {&HandlerConfig{Target: "https://h", ForwardConfig: ForwardConfig{MaxTries: new(-1)}}, "max_tries: must not be negative, got -1"},
		"transport pool":       {&TransportConfig{Pool: "direct"}, `pool: expected another name than "direct"`},
		"transport unset":      {&TransportConfig{Pool: "{env.PP_UNSET}"}, "pool: evaluated placeholder {env.PP_UNSET} is empty"},
		"transport timeout":    {&TransportConfig{ForwardConfig: ForwardConfig{ConnectTimeout: lasts(0)}}, "connect_timeout: must be more than 0, got 0s"},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.config.resolve(caddy.NewReplacer())
			if err == nil {
				err = test.config.validate()
			}
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %v, expected %s", err, test.want)
			}
		})
	}
}

func TestProxies(t *testing.T) {
	repl := caddy.NewReplacer()
	c := ProxyConfig{URL: "http://192.0.2.1", HTTPSURL: "socks5://192.0.2.2"}
	forHTTP, forHTTPS, err := c.proxies(repl)
	if err != nil || forHTTP.Addr != "192.0.2.1:80" || forHTTPS.Addr != "192.0.2.2:1080" {
		t.Errorf("got %v, %v, %v", forHTTP, forHTTPS, err)
	}
	for want, c := range map[string]ProxyConfig{
		"url: ":       {URL: "{env.PP_UNSET}"},
		"http_url: ":  {URL: "direct", HTTPURL: "http://{env.PP_UNSET}"},
		"https_url: ": {URL: "direct", HTTPSURL: "http://{env.PP_UNSET}"},
	} {
		want += "placeholder {env.PP_UNSET} has no value"
		if _, _, err := c.proxies(repl); err == nil || err.Error() != want {
			t.Errorf("got %v, expected %s", err, want)
		}
	}
}

// TestHandWrittenJSON loads a configuration as people write it, with durations
// as words.
func TestHandWrittenJSON(t *testing.T) {
	c := new(AppConfig)
	err := caddy.StrictUnmarshalJSON([]byte(`{
		"storage": {"module": "memory"}, "timezone": "Asia/Tehran",
		"usage_log": {"enabled": true, "retention": "30d", "redact": [{"regexp": "/keys/[^/]+", "replacement": "/keys/***"}]},
		"alerts": {"language": "en", "cooldown": "15m", "daily_report": "09:00", "notifiers": [{"notifier": "webhook", "url": "https://ops.example.com/hook", "via": ["direct", "main"]}]},
		"pools": [{"name": "main", "max_failures": 3, "connect_timeout": "5s", "hedge_delay": "auto", "keepalive": -1,
			"proxies": [{"name": "Residential", "type": "residential", "url": "http://192.0.2.1", "cost_per_gb": 12,
				"budget": {"usd": 50, "per": "month", "hard": true}, "traffic_alert": 5368709120}],
			"block": [{"status": [403, 429], "header": {"X-Challenge": ["*"]}, "for": "10m", "tries": 3}],
			"health_check": {"urls": ["https://www.google.com"], "expect": [200, 401, 404], "interval": "60s"}},
			{"name": "unchecked", "proxies": [{"name": "Own", "url": "direct"}], "health_check": {"disabled": true}}]}`), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.resolve(caddy.NewReplacer()); err != nil {
		t.Fatal(err)
	}
	if err := c.validate(); err != nil {
		t.Fatal(err)
	}
	main := c.Pools[0]
	if *main.ConnectTimeout != *lasts(5 * time.Second) || *main.Keepalive != parse.Off || *main.HedgeDelay != HedgeAuto ||
		*main.Block[0].For != *lasts(10 * time.Minute) || *main.HealthCheck.Interval != *lasts(time.Minute) || !c.Pools[1].HealthCheck.Disabled {
		t.Errorf("loaded as %s", canonical(t, c))
	}
	metered := main.Proxies[0]
	if b := metered.Budget; b.dollars() != 50 || b.bytes() != 0 || b.Per != "month" || !b.Hard || metered.trafficAlert() != 5<<30 {
		t.Errorf("loaded as %s", canonical(t, metered))
	}
	if a := c.Alerts; a.Language != "en" || *a.Cooldown != *lasts(15 * time.Minute) || a.DailyReport != "09:00" || len(a.NotifiersRaw) != 1 {
		t.Errorf("loaded as %s", canonical(t, a))
	}
	if l := c.UsageLog; !l.Enabled || *l.Retention != *lasts(30 * 24 * time.Hour) || len(l.Redact) != 1 {
		t.Errorf("loaded as %s", canonical(t, l))
	}
}

// TestProxyNames: a non-joiner is part of Persian words, and nowhere else anything
// that is not seen.
func TestProxyNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"VPS-1": true, "مسکونی": true, "پروکسی\u200cتهران": true, strings.Repeat("ن", 64): true,
		"": false, ".": false, "..": false, "a b": false, "a/b": false, "a:b": false, strings.Repeat("n", 65): false,
		"\u200cپروکسی": false, "پروکسی\u200c": false, "پروکسی\u200c\u200cتهران": false, "V\u200cPS": false, "V\u200bPS": false, "V\x00S": false,
		"V\xffS": false, "V\u202eSP": false,
	} {
		if err := checkProxyName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestTrustPoolWithoutProvider: Caddy's own error would show all of it.
func TestTrustPoolWithoutProvider(t *testing.T) {
	for _, config := range []string{
		`{"storage": {"module": "memory"}, "pools": [{"name": "main", "tls_trust_pool": {"Provider": "http", "endpoints": ["https://us:hunter2@h"]}, "proxies": [{"name": "A", "url": "direct"}]}]}`,
		`{"storage": {"module": "memory"}, "pools": [{"name": "main", "proxies": [{"name": "A", "url": "https://h", "tls_trust_pool": {"endpoints": ["https://us:hunter2@h"]}}]}]}`,
	} {
		_, err := provisionedConfig(t, []byte(config))
		if err == nil || !strings.Contains(err.Error(), `tls_trust_pool: expected a "provider", the name of a module`) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", config, err)
		}
	}
}
