package alert

import "golang.org/x/text/language"

// words are the phrases of one language; what is laid out of them stands once,
// for all languages. {x} is where a value goes, and both languages have the same.
// {pool} is the pool's name alone.
type words struct {
	tag         language.Tag
	rightToLeft bool
	comma       string // between the items of a list
	arrow       string // from a status to the one after

	labels  labels
	changes changeWords
	pools   poolWords
	budgets budgetWords
	reports reportWords
	console consoleWords
	reasons reasonWords
	units   unitWords
}

// plural is a phrase about {n}, in a language that tells one from many.
type plural struct{ one, many string }

// labels stand before a colon.
type labels struct {
	pool, status, now, reason, kind, cost, uptime, traffic, used, ends, saved, requests, budget string
}

// changeWords are about proxies that changed their status.
type changeWords struct {
	is     map[string]string // one became that, {proxy}
	became string            // {proxy} became another {status}
	after  string            // it was not healthy for {duration}
	times  plural            // how often it did
	many   string            // {n} of {pool} did
	more   plural            // that are not named

	flapping     string // {proxy} does so again and again
	flappingMany string // {n} of {pool} do
	often        string // {times} in {duration}

	burst, burstNote string // so many of {pool} do that only the beginning is told
	burstOver        string // and the end
	took             string // {duration}

	switched string // traffic moved to {proxy}
	carrier  string // it goes through {proxy}
}

// poolWords are about a pool, its targets and its checks.
type poolWords struct {
	down, downNote  string // no proxy of {pool} is usable
	downMany        string // the same of {n} pools
	up, upAfter     string // one is again, after {duration}
	upMany          string // {n} pools have one again
	none            string // no proxy of it is usable
	unreachable     string // {target} through any proxy of {pool}
	unreachableMany string // {n} targets are
	unreachableNote string
	reachable       string // {target} is, through {pool}
	reachableMany   string // {n} targets are
	reachableAfter  string // {duration}
	checksFailing   string // of {pool}
	checksNote      string // what to do about it
	checksPassing   string // of {pool}
	checksAfter     string // {duration}
}

// budgetWords are about the budget of a {proxy} and its traffic.
type budgetWords struct {
	traffic, trafficNote string            // {amount} was passed; what to do
	nearly, spent        string            // {percent} of it was used; all of it
	used                 string            // {amount} of {limit}
	per                  map[string]string // what a label is about, of each period
	limit                map[string]string // {limit} per period
	hardNearly           string            // what happens then, until {time}
	hardNearlyTotal      string            // and where it has no end
	softNearly           string
	hardSpent            string // what happens now, until {time}
	hardSpentTotal       string
	softSpent            string
}

// reportWords are the daily report and what else is no event.
type reportWords struct {
	title, span    string            // between {from} and {to}
	counts         map[string]string // a label for each status
	failed         plural            // requests
	top            string
	uptime, saved  string // {percent}; {money}
	test, testNote string
	unknown        string // an alert of a {kind} from a later version
	requests       plural
	statusOf       string // {n} with that {status}
}

// consoleWords answer commands.
type consoleWords struct {
	title      string // of the status
	noPools    string
	noProxies  string            // in a pool
	usage      string            // a title
	noUsage    string            // in this month
	period     map[string]string // labels
	checked    string            // a title: all were
	explain    string            // a title: {target} through {pool}
	until      string            // {time}
	nextTry    string            // at {time}
	moreUsable string            // {n} are not named, {usable} of them usable
	enabled    string            // {proxy}
	disabled   string            // {proxy}
	stays      string            // until {command}
	help       string            // a title
	commands   map[string]string // what each does
	unknown    string            // {command}
	write      string            // it as {command}
	noProxy    string            // of the name {arg}
	ambiguous  string            // {arg}; write {id}
	noTarget   string            // {arg} is none
	failed     string            // {error}
}

// reasonWords say why a proxy is as it is.
type reasonWords struct {
	codes     map[string]string // of docs/troubleshooting.md, and a few more
	sentences map[string]string // what the pool says in words

	// About {what}:
	check      string // failed, for a reason
	answered   string // a check, with a status that was not expected
	down       string // for a reason
	blockedBy  string // targets
	blocking   string // {target} answered {status}, which a block rule matches
	failingFor string // targets
	spent      string // so much of a budget
	slow       string // checks, more than a duration
}

// unitWords are amounts and dates.
type unitWords struct {
	dollars, free, perGigabyte     string // {n}; nothing; {money}
	megabytes, gigabytes, lessThan string // {n}; {n}; {amount}
	percent                        string // {n}
	milliseconds                   string // {n}
	days, hours, minutes, seconds  plural
	and                            string // between two of them
	date                           string // {day} {month} {year}, {clock}
	months                         [12]string
}
