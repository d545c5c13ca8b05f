package telegram

import (
	"html"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/caddy-proxypool/proxypool/alert"
)

const (
	// maxUnits is how long a message may be, in UTF-16 code units. Telegram
	// counts what is left of the HTML when it was parsed, which is less.
	maxUnits = 4096

	// maxParts bounds what one text becomes: a chat is no place for more.
	maxParts = 10
)

// more is the last line of a text that was cut off.
const more = "…"

// split cuts a text into messages, between lines where it can. No message is
// blank, because Telegram takes none that is.
func split(text alert.Text) []alert.Text {
	whole := strings.ToValidUTF8(text.HTML, "\uFFFD")
	if units(whole) <= maxUnits && !isBlank(text.Plain) && units(text.Plain) <= maxUnits {
		return keep([]string{whole}, strings.ToValidUTF8(text.Plain, "\uFFFD"))
	}
	var messages []string
	var message strings.Builder
	size := 0
	flush := func() {
		if !isBlank(message.String()) {
			messages = append(messages, message.String())
		}
		message.Reset()
		size = 0
	}
	for line := range strings.SplitSeq(whole, "\n") {
		// Two pieces of a line never fit into one message.
		for _, piece := range fit(line) {
			n := units(piece)
			switch {
			case size+1+n > maxUnits:
				flush()
			case message.Len() > 0:
				message.WriteByte('\n')
				size++
			}
			message.WriteString(piece)
			size += n
		}
	}
	flush()
	return keep(messages, "")
}

// keep makes texts of the messages, not too many of them. plainText is that of
// the only one, where it is known.
func keep(messages []string, plainText string) []alert.Text {
	var texts []alert.Text
	for i, message := range messages {
		if isBlank(plain(message)) {
			continue
		}
		text := alert.Text{HTML: message, Plain: plainText}
		if plainText == "" {
			text.Plain = plain(message)
		}
		if len(texts) == maxParts-1 && i < len(messages)-1 {
			return append(texts, cutOff(text))
		}
		texts = append(texts, text)
	}
	return texts
}

// cutOff ends a text with a sign that there was more of it.
func cutOff(text alert.Text) alert.Text {
	const room = 2 // a line break and the sign
	for units(text.HTML)+room > maxUnits {
		end := strings.LastIndexByte(text.HTML, '\n')
		if end < 0 {
			text.HTML = fitTo(withoutTags(text.HTML), maxUnits-room)[0]
			break
		}
		text.HTML = text.HTML[:end]
	}
	return alert.Text{HTML: text.HTML + "\n" + more, Plain: plain(text.HTML) + "\n" + more}
}

// fit cuts a line that is too long for a message. Its tags are left out, so that
// none is opened in one message and closed in another.
func fit(line string) []string {
	if units(line) <= maxUnits {
		return []string{line}
	}
	return fitTo(withoutTags(line), maxUnits)
}

var entity = regexp.MustCompile(`^&(#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,8}|[a-zA-Z0-9]{1,32});`)

// fitTo cuts a line without tags between characters, an entity being one.
func fitTo(line string, most int) []string {
	var pieces []string
	start, size := 0, 0
	for at := 0; at < len(line); {
		length, n := 0, 0
		if line[at] == '&' {
			length = len(entity.FindString(line[at:]))
			n = length
		}
		if length == 0 {
			_, length = utf8.DecodeRuneInString(line[at:])
			n = units(line[at : at+length])
		}
		if size+n > most {
			pieces = append(pieces, line[start:at])
			start, size = at, 0
		}
		at += length
		size += n
	}
	return append(pieces, line[start:])
}

// units is the number of UTF-16 code units.
func units(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

var tag = regexp.MustCompile(`</?[a-zA-Z][^<>]*>`)

func withoutTags(s string) string { return tag.ReplaceAllString(s, "") }

// plain is what is read where HTML is shown.
func plain(s string) string { return html.UnescapeString(withoutTags(s)) }

func isBlank(s string) bool { return strings.TrimSpace(s) == "" }
