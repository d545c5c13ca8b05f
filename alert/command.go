package alert

// Command is what an admin asked for in a chat: "/explain api.telegram.org" is
// {"explain", "api.telegram.org"}.
type Command struct{ Name, Arg string }
