// Package telegram sends alerts to chats on Telegram through a bot, and answers
// the commands that are sent to it there.
//
// Destinations (telegram.go) are made of the configuration (config.go). An alert
// is split into messages (split.go), each of which waits until its chat takes
// another one (pace.go) and is sent (send.go). The HTTP client (client.go) reads
// the answers itself, because errors of the library that makes the requests quote
// bodies. What an error means and what to do about it is in errors.go, and what
// may be shown of others' words in redact.go. Commands are waited for in poll.go
// and understood in command.go.
package telegram
