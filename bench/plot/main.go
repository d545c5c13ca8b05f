// Command plot draws what bench -points wrote, as one SVG file for each chart:
//
//	go -C bench/plot run . -in points.json -out ../../docs/plots
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// point is a line of the input.
type point struct {
	Chart, Series string
	X, Y          float64
}

// charts are those that are known, with what their axes mean.
var charts = map[string]struct{ title, x, y string }{
	"cost-by-proxies": {"CPU of a request, 64 clients", "proxies in the pool", "µs"},
	"cost-by-clients": {"CPU of a request, five proxies", "clients", "µs"},
	"rate-by-clients": {"Requests per second, five proxies", "clients", "requests/s"},
}

func main() {
	in := flag.String("in", "points.json", "what bench -points wrote")
	out := flag.String("out", ".", "directory for the files")
	flag.Parse()
	if err := run(*in, *out); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func run(in, out string) error {
	plot.DefaultFont.Variant = "Sans"
	points, err := read(in)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for chart, words := range charts {
		var ofIt []point
		for _, p := range points {
			if p.Chart == chart {
				ofIt = append(ofIt, p)
			}
		}
		if ofIt == nil {
			continue
		}
		p := plot.New()
		p.Title.Text, p.X.Label.Text, p.Y.Label.Text = words.title, words.x, words.y
		if err := draw(p, ofIt); err != nil {
			return fmt.Errorf("%s: %w", chart, err)
		}
		if err := save(p, filepath.Join(out, chart+".svg")); err != nil {
			return fmt.Errorf("%s: %w", chart, err)
		}
	}
	return nil
}

// save writes the chart with fonts of the same widths beside the one it was laid
// out with, which few have.
func save(p *plot.Plot, name string) error {
	w, err := p.WriterTo(16*vg.Centimeter, 9*vg.Centimeter, "svg")
	if err != nil {
		return err
	}
	var svg bytes.Buffer
	if _, err := w.WriteTo(&svg); err != nil {
		return err
	}
	const family = "font-family:Liberation Sans"
	return os.WriteFile(name, bytes.ReplaceAll(svg.Bytes(), []byte(family), []byte(family+",Arimo,Arial,Helvetica,sans-serif")), 0o644)
}

func read(name string) (points []point, err error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		var p point
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", name, n, err)
		}
		if _, known := charts[p.Chart]; !known {
			return nil, fmt.Errorf("%s, line %d: no chart is called %q", name, n, p.Chart)
		}
		points = append(points, p)
	}
	return points, lines.Err()
}

// draw adds a line for each series. What multiplies is shown on a logarithmic
// axis, with a tick for each value.
func draw(p *plot.Plot, points []point) error {
	p.X.Scale = plot.LogScale{}
	p.Y.Min = 0
	p.Legend.Top = true
	p.Add(plotter.NewGrid())
	var ticks plot.ConstantTicks
	var series []any
	byName := map[string]plotter.XYs{}
	for _, pt := range points {
		if _, known := byName[pt.Series]; !known {
			series = append(series, pt.Series)
		}
		byName[pt.Series] = append(byName[pt.Series], plotter.XY{X: pt.X, Y: pt.Y})
		tick := plot.Tick{Value: pt.X, Label: fmt.Sprint(pt.X)}
		if !slices.Contains(ticks, tick) {
			ticks = append(ticks, tick)
		}
		p.Y.Max = max(p.Y.Max, 1.25*pt.Y)
	}
	p.X.Tick.Marker = ticks
	var lines []any
	for _, name := range series {
		lines = append(lines, name, byName[name.(string)])
	}
	if err := plotutil.AddLinePoints(p, lines...); err != nil {
		return err
	}
	p.X.Max *= 1.3 // room for the label of the last tick
	return nil
}
