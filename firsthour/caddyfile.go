package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// A Caddyfile that is a piece of one is put where it belongs, by its first word.
const (
	onePool = "\t\tpool main {\n\t\t\tproxy Own direct\n\t\t}\n"
	front   = "\n:8080 {\n\tbind 127.0.0.1\n\tproxy_pool http://example.com {\n\t\tpool main\n\t}\n}\n"
)

// whole is a Caddyfile around a piece of one.
func whole(piece string) string {
	piece = strings.ReplaceAll(piece, "pool main { ... }", onePool)
	first, _, _ := strings.Cut(strings.TrimSpace(piece), "\n")
	word, _, _ := strings.Cut(first, " ")
	switch {
	case word == "{":
		return piece
	case strings.HasPrefix(first, ":"), strings.Contains(word, "://"):
		return app(onePool) + piece
	case word == "proxy_pool" && strings.HasSuffix(first, "{") && !strings.Contains(first, "://"):
		return "{\n" + piece + "}\n"
	case word == "usage_log", word == "alerts", word == "storage":
		return app(piece+onePool) + front
	case word == "block", word == "proxy", word == "health_check":
		return app("pool main {\nproxy Another direct\n"+piece+"}\n") + front
	default: // what stands in a site
		return app(onePool) + ":8080 {\nbind 127.0.0.1\n" + piece + "}\n"
	}
}

func app(inside string) string { return "{\n\tproxy_pool {\n" + inside + "\t}\n}\n" }

// variable is one that a Caddyfile needs.
var variable = regexp.MustCompile(`\{env\.([A-Z0-9_]+)\}`)

// someHash is the bcrypt hash of a password.
const someHash = "$2a$10$5TJutAonFsHY5eCMDY5pPOECQKnEfgMlad54bH5rNtr10Eo/2g97u"

// checkCaddyfile lets Caddy validate a Caddyfile.
func (w *walk) checkCaddyfile(b *block) error {
	text := whole(b.text)
	file := filepath.Join(w.shell.dir, "Caddyfile")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	var values strings.Builder
	for _, found := range variable.FindAllStringSubmatch(text, -1) {
		value := "4711"
		if strings.HasSuffix(found[1], "_HASH") {
			value = someHash
		}
		values.WriteString(found[1] + "='" + value + "' ")
	}
	says, code, err := w.shell.run(values.String() + "caddy validate --adapter caddyfile --config " + file)
	if err == nil && code != 0 {
		err = fmt.Errorf("caddy validate says\n%s\nof\n%s", says, text)
	}
	return err
}
