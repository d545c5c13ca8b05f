// Package sqlite keeps the books of the pools in a SQLite file.
//
// # The tables
//
// The file may be read with the sqlite3 shell while Caddy runs. Numbers are
// integers throughout: money in nano-dollars (1,000,000,000 are a dollar), bytes
// in bytes, times in milliseconds since 1970 in UTC, durations in milliseconds,
// but for the sums of response times.
//
//	proxy    (id, pool, name)           every pair that was ever seen; the name is
//	                                    empty where a request got no proxy
//	target   (id, name, seen)           "host:port"; * for those not kept apart; seen
//	                                    is a quarter of its last day of use
//	route    (id, proxy_id, target_id)  a proxy to a target
//	record   (proxy_id, requests, failed, bytes_in, bytes_out, cost, saved, state,
//	          timed, took)              what a proxy's counters and its state are;
//	                                    state is JSON
//	usage    (route_id, quarter, requests, failed, bytes_in, bytes_out, cost, saved,
//	          timed, took)              quarter is a quarter of an hour, counted
//	                                    since 1970: its time is quarter * 900;
//	                                    timed are response times, took is their sum
//	                                    in nanoseconds
//	log      (id, time, proxy_id, target_id, method, path, success, status, duration,
//	          bytes_in, bytes_out, attempts, trail, error)
//	                                    one row per request; trail is NULL where it
//	                                    is just "<proxy>:ok"
//	event    (id, time, proxy_id, was, became, reason)
//	                                    changes of status
//	alert    (id, time, notifier, body) what is not delivered yet
//	note     (name, body)               what the alerts remember, such as what they
//	                                    told last
//	batch    (id)                       the batch that was written last
//
// What each proxy cost on each day, in dollars:
//
//	SELECT date(quarter * 900, 'unixepoch') AS day, pool, proxy.name, sum(cost) / 1e9
//	FROM usage JOIN route ON route.id = route_id JOIN proxy ON proxy.id = proxy_id
//	GROUP BY day, proxy_id;
//
// # What survives what
//
// The file is in WAL mode with synchronous=NORMAL: a batch that was written
// survives the end of the process, however it ends. When the machine loses its
// power, the batches since the last checkpoint may be lost, the latest first and
// each as a whole; the file is not damaged. A checkpoint comes with every 4 MiB
// or so that are written.
//
// The -wal file stays at about 4 MiB, because a checkpoint begins it anew. It
// grows while somebody reads for a long time, as a shell does in an open
// transaction. From 64 MiB on every write tries to begin it anew, and at 512 MiB
// writing stops, with an error, until the reader has gone.
//
// A damaged file is renamed to <path>.damaged-<time>, with its -wal and -shm, and
// a new one is begun. Those are never removed or written over: whoever has looked
// at them removes them.
package sqlite
