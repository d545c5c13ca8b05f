package telegramtest

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
)

var wellFormed = regexp.MustCompile(`^[0-9]+:[A-Za-z0-9_-]+$`)

const maxBody = 1 << 20

// parameters are those of a call, whichever way they were sent.
type parameters url.Values

// parametersOf reads them from the query and a body that is a form, a multipart
// form or JSON. They are left in r.Form.
func parametersOf(r *http.Request) (parameters, error) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	limit := int64(maxBody)
	if kind == "multipart/form-data" {
		limit += maxFile
	}
	r.Body = http.MaxBytesReader(nil, r.Body, limit)
	switch kind {
	case "multipart/form-data":
		// A call without parameters has an empty body, which is no form.
		if err := r.ParseMultipartForm(maxBody); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	case "application/json":
		if err := r.ParseForm(); err != nil {
			return nil, err
		}
		var fields map[string]json.RawMessage
		if err := json.NewDecoder(r.Body).Decode(&fields); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		for name, raw := range fields {
			var text string
			if json.Unmarshal(raw, &text) != nil {
				text = string(raw)
			}
			r.Form.Set(name, text)
		}
	default:
		if err := r.ParseForm(); err != nil {
			return nil, err
		}
	}
	return parameters(r.Form), nil
}

func (p parameters) get(name string) string { return url.Values(p).Get(name) }

func (p parameters) flag(name string) bool { return p.get(name) == "true" }

// number is 0 where there is none.
func (p parameters) number(name string) int64 {
	n, _ := strconv.ParseInt(p.get(name), 10, 64)
	return n
}

// object reads a parameter that is JSON.
func (p parameters) object(name string, dst any) {
	_ = json.Unmarshal([]byte(p.get(name)), dst)
}

func itoa(n int) string { return strconv.Itoa(n) }
