package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/caddy-proxypool/proxypool/pool"
)

const (
	// maxNames is how many names of each kind are remembered.
	maxNames = 10_000
	// seenEvery is how often it is written down that a target is in use, in
	// quarters of an hour.
	seenEvery = 96
)

// names gives IDs to names, and remembers those in use.
type names struct {
	proxies map[proxyName]int64
	targets map[string]seenTarget
	routes  map[routeIDs]int64

	findProxy, addProxy            *sql.Stmt
	findTarget, addTarget, setSeen *sql.Stmt
	findRoute, addRoute            *sql.Stmt
}

type proxyName struct{ pool, name string }

type seenTarget struct {
	id   int64
	seen pool.Quarter
}

type routeIDs struct{ proxy, target int64 }

func newNames() *names {
	n := new(names)
	n.forget()
	return n
}

// list is the statements that have to be prepared.
func (n *names) list() []statement {
	return []statement{
		{&n.findProxy, "SELECT id FROM proxy WHERE pool = ? AND name = ?"},
		{&n.addProxy, "INSERT INTO proxy VALUES (NULL, ?, ?) RETURNING id"},
		{&n.findTarget, "SELECT id, seen FROM target WHERE name = ?"},
		{&n.addTarget, "INSERT INTO target VALUES (NULL, ?, ?) RETURNING id"},
		{&n.setSeen, "UPDATE target SET seen = ? WHERE id = ?"},
		{&n.findRoute, "SELECT id FROM route WHERE proxy_id = ? AND target_id = ?"},
		{&n.addRoute, "INSERT INTO route VALUES (NULL, ?, ?) RETURNING id"},
	}
}

// forget forgets the IDs, because some of them may be no longer right.
func (n *names) forget() {
	n.proxies = make(map[proxyName]int64)
	n.targets = make(map[string]seenTarget)
	n.routes = make(map[routeIDs]int64)
}

func (n *names) proxy(ctx context.Context, poolName, name string) (int64, error) {
	key := proxyName{poolName, name}
	if id, ok := n.proxies[key]; ok {
		return id, nil
	}
	id, err := findOrAdd(ctx, n.findProxy, n.addProxy, poolName, name)
	if err == nil {
		remember(n.proxies, key, id)
	}
	return id, err
}

// target is the ID of a target that is in use at some time.
func (n *names) target(ctx context.Context, name string, now pool.Quarter) (int64, error) {
	t, ok := n.targets[name]
	if ok && now < t.seen+seenEvery {
		return t.id, nil
	}
	if !ok {
		t.seen = now
		err := n.findTarget.QueryRowContext(ctx, name).Scan(&t.id, &t.seen)
		if errors.Is(err, sql.ErrNoRows) {
			err = n.addTarget.QueryRowContext(ctx, name, int64(now)).Scan(&t.id)
		}
		if err != nil {
			return 0, err
		}
	}
	if now >= t.seen+seenEvery {
		t.seen = now
		if _, err := n.setSeen.ExecContext(ctx, int64(now), t.id); err != nil {
			return 0, err
		}
	}
	remember(n.targets, name, t)
	return t.id, nil
}

func (n *names) route(ctx context.Context, proxy, target int64) (int64, error) {
	key := routeIDs{proxy, target}
	if id, ok := n.routes[key]; ok {
		return id, nil
	}
	id, err := findOrAdd(ctx, n.findRoute, n.addRoute, proxy, target)
	if err == nil {
		remember(n.routes, key, id)
	}
	return id, err
}

func findOrAdd(ctx context.Context, find, add *sql.Stmt, key ...any) (id int64, err error) {
	err = find.QueryRowContext(ctx, key...).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = add.QueryRowContext(ctx, key...).Scan(&id)
	}
	return id, err
}

// remember adds to what is remembered, which is begun anew where it is too much.
func remember[K comparable, V any](all map[K]V, key K, value V) {
	if len(all) >= maxNames {
		clear(all)
	}
	all[key] = value
}
