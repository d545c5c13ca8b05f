package memory

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"github.com/caddy-proxypool/proxypool/pool"
)

// notes are the notes that were written last.
type notes struct {
	byName map[string]note
	max    int
	turn   int64 // of the newest
}

type note struct {
	body []byte
	turn int64
}

// set puts notes in the place of those of the same name. Where there are too
// many then, those go that were written longest ago.
func (n *notes) set(list []pool.Note) {
	for _, add := range list {
		if len(add.Body) == 0 {
			delete(n.byName, add.Name)
			continue
		}
		n.turn++
		n.byName[add.Name] = note{bytes.Clone(add.Body), n.turn}
	}
	excess := len(n.byName) - n.max
	if excess <= 0 {
		return
	}
	oldest := slices.SortedFunc(maps.Keys(n.byName), func(a, b string) int {
		return cmp.Compare(n.byName[a].turn, n.byName[b].turn)
	})
	for _, name := range oldest[:excess] {
		delete(n.byName, name)
	}
}

func (n *notes) all() []pool.Note {
	var all []pool.Note
	for _, name := range slices.Sorted(maps.Keys(n.byName)) {
		all = append(all, pool.Note{Name: name, Body: bytes.Clone(n.byName[name].body)})
	}
	return all
}
