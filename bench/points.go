package main

import (
	"encoding/json"
	"errors"
	"os"
)

// point is one of a plot, as bench/plot reads it.
type point struct {
	Chart  string  `json:"chart"`
	Series string  `json:"series"`
	X      float64 `json:"x"`
	Y      float64 `json:"y"`
}

// point appends to the file of points, where there is one.
func (r *rig) point(chart, series string, x, y float64) {
	if r.points == "" {
		return
	}
	file, err := os.OpenFile(r.points, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		err = json.NewEncoder(file).Encode(point{chart, series, x, y})
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		warn("writing a point: %v", err)
	}
}
