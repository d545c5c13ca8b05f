package alert

// Language is one that messages are written in.
type Language string

// The languages.
const (
	English Language = "en"
	Persian Language = "fa"
)

// Text is a message: once in the HTML that Telegram takes, with everything that
// is not ours escaped, and once without any markup. Lines end with "\n"; no
// element spans two lines.
type Text struct{ HTML, Plain string }
