package books

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
)

const token = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"

func TestRedact(t *testing.T) {
	for name, c := range map[string]struct{ path, want string }{
		"method":                {"/bot" + token + "/getMe", "/bot***/getMe"},
		"test environment":      {"/bot" + token + "/test/getMe", "/bot***/test/getMe"},
		"file":                  {"/file/bot" + token + "/photos/1.jpg", "/file/bot***/photos/1.jpg"},
		"deep":                  {"/a/b/c/bot" + token + "/getMe", "/a/b/c/bot***/getMe"},
		"at the end":            {"/bot" + token, "/bot***"},
		"slash at the end":      {"/bot" + token + "/", "/bot***/"},
		"capitals":              {"/BOT" + token + "/getMe", "/BOT***/getMe"},
		"capitals, short":       {"/Bot1:x/file/BOT1:y", "/Bot***/file/BOT***"},
		"short":                 {"/bot1:x/getMe", "/bot***/getMe"},
		"empty secret":          {"/bot1:", "/bot***"},
		"encoded colon":         {"/bot" + strings.Replace(token, ":", "%3A", 1) + "/getMe", "/bot***/getMe"},
		"lower-case hex":        {"/bot" + strings.Replace(token, ":", "%3a", 1) + "/getMe", "/bot***/getMe"},
		"encoded twice":         {"/bot" + strings.Replace(token, ":", "%253A", 1) + "/getMe", "/bot***/getMe"},
		"encoded thrice":        {"/bot" + strings.Replace(token, ":", "%25253A", 1) + "/getMe", "/bot***/getMe"},
		"encoded as a whole":    {"/via/" + url.QueryEscape("https://api.telegram.org/bot"+token+"/getMe"), "/via/https://api.telegram.org/bot***/getMe"},
		"encoded letters":       {"/%62o%74" + token + "/getMe", "/bot***/getMe"},
		"encoded slash behind":  {"/bot" + token + "%2FgetMe", "/bot***/getMe"},
		"double slashes":        {"//bot" + token + "//getMe", "//bot***//getMe"},
		"slash before the id":   {"/bot/" + token + "/getMe", "/bot/***/getMe"},
		"slash after the colon": {"/bot123456789:/AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/getMe", "/bot***/***/getMe"},
		"two after the colon":   {"/bot1://secret/getMe", "/bot***//***/getMe"},
		"the same without bot":  {"/123456789:/AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/x", "/123456789:/***/x"},
		"no bot":                {"/" + token + "/getMe", "/***/getMe"},
		"something before bot":  {"/mybot12:secret/getMe", "/mybot***/getMe"},
		"something before":      {"/x" + token + "/getMe", "/x***/getMe"},
		"no slash":              {"bot" + token, "bot***"},
		"several":               {"/bot" + token + "/bot" + token + "/x/" + token, "/bot***/bot***/x/***"},
		"two in one":            {"/bot" + token + "bot" + token + "/x", "/bot***/x"},
		"local server's files":  {"/file/bot" + token + "//var/lib/" + token + "/documents/a.pdf", "/file/bot***//var/lib/***/documents/a.pdf"},
		"backslash":             {`\bot` + token + `\getMe`, `\bot***`},
		"id alone":              {"/bot123456789/getMe", "/bot***/getMe"},
		"secret alone":          {"/botAAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/getMe", "/bot***/getMe"},
		"id of letters":         {"/botabc:secret/getMe", "/bot***/getMe"},
		"another colon":         {"/bot123456789;secret/getMe", "/bot***/getMe"},
		"several colons":        {"/bot1:2:3/getMe", "/bot***/getMe"},
		"a time before":         {"/10:30/12:" + token, "/10:30/12:***"},
		"not UTF-8":             {"/bot1:\xffsecret\xfe/x", "/bot***/x"},
		"broken encoding":       {"/%zz/bot1:secret%/x", "/%zz/bot***/x"},

		"empty":             {"", ""},
		"root":              {"/", "/"},
		"no secret":         {"/api/v1/users/123", "/api/v1/users/123"},
		"check":             {"/botTEST/getMe", "/botTEST/getMe"},
		"bot alone":         {"/bot/list", "/bot/list"},
		"a word":            {"/bottles/and/robots", "/bottles/and/robots"},
		"a time":            {"/2026-01-01T10:30:00Z", "/2026-01-01T10:30:00Z"},
		"host and port":     {"/10.0.0.1:8080/x", "/10.0.0.1:8080/x"},
		"encoded":           {"/a%20b", "/a%20b"},
		"a colon":           {"/v1:batch", "/v1:batch"},
		"ends with a colon": {"/10:/x", "/10:/x"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := redact(c.path, nil); got != c.want {
				t.Errorf("redact(%q) = %q, want %q", c.path, got, c.want)
			}
		})
	}
}

func TestRules(t *testing.T) {
	rules := []Rule{
		{regexp.MustCompile(`/key/[^/]+`), "/key/***"},
		{regexp.MustCompile(`/user/([^/]+)/[^/]+`), "/user/$1/***"},
		{regexp.MustCompile(`\*\*\*/tail`), "hidden-tail"},
	}
	for path, want := range map[string]string{
		"/key/abc/x":                        "/key/***/x",
		"/user/joe/password/x":              "/user/joe/***/x",
		"/key/abc/tail":                     "/key/hidden-tail", // in the result of the one before
		"/bot" + token + "/tail":            "/bothidden-tail",
		"/key/bot" + token + "/user/joe/pw": "/key/***/user/joe/***",
	} {
		if got := redact(path, rules); got != want {
			t.Errorf("redact(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestAbsurdPathsAreCutBetweenSegments(t *testing.T) {
	filler := strings.Repeat("/x", maxLookedAt/2-10)
	got := redact(filler+"/bot"+token+"/getMe", nil)
	if got != filler+"/" {
		t.Errorf("a path ends with %q", got[len(got)-40:])
	}
	if got := redact(strings.Repeat("x", 2*maxLookedAt), nil); got != "" {
		t.Errorf("a path without a slash: %d bytes", len(got))
	}
	grow := Rule{regexp.MustCompile("x"), strings.Repeat("/y", 1000)}
	if got := redact(strings.Repeat("/x", 1000), []Rule{grow, grow}); len(got) > maxLookedAt {
		t.Errorf("a rule made a path of %d bytes", len(got))
	}
}

// tokens are what must never be seen whole: digits, a colon, a secret.
var tokens = regexp.MustCompile(`[0-9]:[A-Za-z0-9_-]{16,}|(?i:bot)[0-9]+:[A-Za-z0-9_-]`)

func FuzzRedact(f *testing.F) {
	f.Add("/", "/getMe")
	f.Add("/file/bot", "//x")
	f.Add("/%", "%2F")
	f.Add("/bot12:/", ":/")
	f.Add("/1:%", "")
	f.Fuzz(func(t *testing.T, before, after string) {
		if len(before) > maxLookedAt/2 {
			return
		}
		const secret = "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
		if strings.Contains(before+after, secret) {
			return
		}
		for _, colon := range []string{":", "%3A", "%253a", ":/", ":%2f"} {
			for _, path := range []string{
				before + "123456789" + colon + secret + after,
				before + "/bot123456789" + colon + secret + "/" + after,
			} {
				got := redact(path, nil)
				if strings.Contains(got, secret) || tokens.MatchString(got) || tokens.MatchString(decode(got)) {
					t.Errorf("redact(%q) = %q", path, got)
				}
				if again := redact(got, nil); strings.Contains(again, secret) {
					t.Errorf("redact(%q) = %q", got, again)
				}
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add("%2525252541")
	f.Add("%%4141")
	f.Add("%3%41")
	f.Fuzz(func(t *testing.T, s string) {
		got := decode(s)
		if again := decode(got); again != got {
			t.Errorf("decode(%q) = %q, and of that %q", s, got, again)
		}
		if strings.IndexByte(s, '%') < 0 && got != s {
			t.Errorf("decode(%q) = %q", s, got)
		}
	})
}
