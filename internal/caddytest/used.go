package caddytest

import (
	"math"
	"net/http"
	"net/url"
)

// Used is what went through a proxy, as one of the answers of the admin API tells
// it.
type Used struct {
	Requests, Failed int64
	In, Out          int64 // bytes
	Cost             int64 // nano-dollars
}

// Bytes are those of both ways.
func (u Used) Bytes() int64 { return u.In + u.Out }

// Plus is the sum of both.
func (u Used) Plus(v Used) Used {
	return Used{u.Requests + v.Requests, u.Failed + v.Failed, u.In + v.In, u.Out + v.Out, u.Cost + v.Cost}
}

// Minus is what came to u since it was v.
func (u Used) Minus(v Used) Used {
	return Used{u.Requests - v.Requests, u.Failed - v.Failed, u.In - v.In, u.Out - v.Out, u.Cost - v.Cost}
}

// AtLeast reports whether nothing of u is less than in v.
func (u Used) AtLeast(v Used) bool {
	d := u.Minus(v)
	return min(d.Requests, d.Failed, d.In, d.Out, d.Cost) >= 0
}

// Usage asks what was used since a day, by "proxy", "target", "hour" or "day".
func (p *Process) Usage(from, by string) (map[string]Used, error) {
	var answer struct {
		Rows []struct {
			Key      string  `json:"key"`
			Requests int64   `json:"requests"`
			Failed   int64   `json:"failed"`
			BytesIn  int64   `json:"bytes_in"`
			BytesOut int64   `json:"bytes_out"`
			CostUSD  float64 `json:"cost_usd"`
		} `json:"rows"`
	}
	query := url.Values{"from": {from}, "by": {by}}
	if err := p.Call(http.MethodGet, "/proxy_pool/usage?"+query.Encode(), &answer); err != nil {
		return nil, err
	}
	rows := make(map[string]Used, len(answer.Rows))
	for _, r := range answer.Rows {
		rows[r.Key] = Used{r.Requests, r.Failed, r.BytesIn, r.BytesOut, Nano(r.CostUSD)}
	}
	return rows, nil
}

// Nano is money in nano-dollars, as it is booked.
func Nano(usd float64) int64 { return int64(math.Round(usd * 1e9)) }

// Store is how the books do, as the status tells it.
type Store struct {
	OK      bool   `json:"ok"`
	Error   string `json:"error"`
	Dropped int64  `json:"dropped"`
}
