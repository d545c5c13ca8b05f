package alert

// What docs/troubleshooting.md says of each code, in few words.
var englishCodes = map[string]string{
	"dial_refused":     "connection refused",
	"dial_timeout":     "connecting timed out",
	"dial_unreachable": "its address is unreachable",
	"dial_failed":      "connecting failed",
	"dns_failed":       "its host name is unknown",

	"proxy_tls":          "TLS with the proxy failed",
	"proxy_auth":         "wrong user or password",
	"proxy_payment":      "its account is empty",
	"proxy_rate_limited": "the proxy limits the rate",
	"proxy_silent":       "it accepted the connection and never answered",
	"proxy_dropped":      "it hung up before the tunnel stood",
	"proxy_nonsense":     "it does not answer like a proxy",
	"proxy_answer":       "it sent an error page of its own",
	"bad_proxy":          "its configuration cannot be used",
	"tunnel_refused":     "it refused to connect to the target",
	"loop":               "it leads back to this Caddy",

	"address_not_allowed": "the target's address is a private one",
	"target_closed":       "the target closed without an answer",
	"bad_target":          "the target cannot be asked for through it",
	"target_tls":          "TLS with the target failed",
	"target_tls_timeout":  "TLS with the target timed out",
	"target_reset":        "the connection to the target was reset",

	"conn_reset":     "the connection was reset",
	"conn_closed":    "the connection was closed",
	"conn_timeout":   "the other side acknowledges nothing any more",
	"stream_reset":   "the HTTP/2 stream was reset",
	"stream_refused": "the target refused the HTTP/2 stream",
	"send_failed":    "sending failed",
	"stale":          "a kept connection had been closed",

	"bad_request":              "the request cannot be sent",
	"request_header_too_large": "the header of the request is too large",
	"malformed_response":       "the answer was no proper HTTP",
	"header_too_large":         "the header of the answer is too large",
	"broken_answer":            "the answer broke off half-way",
	"silent":                   "the answer stayed away, and so did a probe's",
	"response_timeout":         "no answer in time",
	"timeout":                  "it took too long",

	"blocked":      "the answer matched a block rule",
	"overdue":      "it was slow to connect, and the next proxy overtook it",
	"budget_spent": "its hard budget is spent",
	"client_gone":  "the app hung up",
	"canceled":     "the app hung up before the answer came",
	"no_proxy":     "no proxy was usable",
	"error":        "something else went wrong",
}
