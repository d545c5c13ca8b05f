// Package alert tells the admin what happens: it decides what is worth a
// message, keeps each message until it was delivered, and says it in the
// admin's language.
//
// The rules (rules.go, topic.go, burst.go, crowd.go) are plain Go on what the pools emit.
// What they find goes into the outbox (outbox.go), which is stored before
// anything is sent, and from there, in order, to each destination (sender.go).
// What a message says is laid out once (message.go for alerts, run.go for answers
// to commands), in the phrases of each language (english.go, persian.go). How it
// reaches a destination is for the notifiers, in the packages below this one.
// Nothing here knows of pools, stores or Caddy: the root of the module brings them
// together.
package alert
