// Package plot draws bars and lines as SVG, without a library: what the
// benchmarks put beside their tables.
package plot

import (
	"bytes"
	"fmt"
	"html"
	"math"
)

// Colours of the series in order; they differ in lightness too.
var Colours = []string{"#1b6ca8", "#e08214", "#4d9221", "#8e5ea2", "#555555", "#c51b7d", "#35978f", "#bf812d", "#2d004b", "#9ecae1"}

// Bar is one value; Low and High are its spread, both 0 for none.
type Bar struct {
	Value, Low, High float64
	Note             string // after the value
	Missing          string // instead of a bar
}

// Group is a label with a bar for each series.
type Group struct {
	Label string
	Bars  []Bar
}

// Chart is a plot of grouped bars.
type Chart struct {
	Title, Subtitle string
	Unit            string // of the axis
	Series          []string
	Groups          []Group
	From            float64 // where the axis begins
}

type canvas struct{ bytes.Buffer }

func newCanvas(w, h int) *canvas {
	c := &canvas{}
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+"\n", w, h, w, h)
	fmt.Fprintf(c, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", w, h)
	return c
}

func (c *canvas) text(x float64, y int, anchor, s string) {
	fmt.Fprintf(c, `<text x="%.1f" y="%d" text-anchor="%s" fill="#222222">%s</text>`+"\n", x, y, anchor, html.EscapeString(s))
}

func (c *canvas) line(x1, y1, x2, y2 float64, colour string) {
	fmt.Fprintf(c, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, colour)
}

func (c *canvas) end() []byte {
	c.WriteString("</svg>\n")
	return c.Bytes()
}

// legend writes the series below the titles, in rows, and returns where it ends.
func (c *canvas) legend(series []string, y, width int) int {
	at := 10.0
	for i, s := range series {
		need := 34 + 6.5*float64(len(s))
		if at > 10 && at+need > float64(width) {
			at = 10
			y += 16
		}
		fmt.Fprintf(c, `<rect x="%.1f" y="%d" width="10" height="10" fill="%s"/>`+"\n", at, y-9, Colours[i%len(Colours)])
		c.text(at+14, y, "start", s)
		at += need
	}
	return y
}

// Bars draws a chart: a group for each label, a bar for each series, a line
// from the lowest to the highest value.
func Bars(ch Chart) []byte {
	const right, bar, gap, width = 170, 16, 12, 860
	scale, longest := ch.From, 0
	for _, g := range ch.Groups {
		longest = max(longest, len(g.Label))
		for _, b := range g.Bars {
			scale = max(scale, b.High, b.Value)
		}
	}
	if scale == ch.From {
		scale++
	}
	left := min(max(90, 16+int(6.2*float64(longest))), 380)
	body := newCanvas(width, 0)
	body.Reset()
	body.text(10, 18, "start", ch.Title)
	body.text(10, 34, "start", ch.Subtitle)
	top := body.legend(ch.Series, 52, width) + 14
	height := top + 34
	for _, g := range ch.Groups {
		height += len(g.Bars)*bar + gap
	}
	c := newCanvas(width, height)
	c.Write(body.Bytes())
	x := func(v float64) float64 {
		return float64(left) + (max(v, ch.From)-ch.From)/(scale-ch.From)*float64(width-left-right)
	}
	for v, step := ch.From, niceStep((scale-ch.From)/5); v <= scale+step/1e6; v += step {
		c.line(x(v), float64(top), x(v), float64(height-28), "#dddddd")
		c.text(x(v), height-14, "middle", Short(v))
	}
	c.text(float64(width-right)+10, height-14, "start", ch.Unit)
	y := top + gap/2
	for _, g := range ch.Groups {
		c.text(float64(left-8), y+len(g.Bars)*bar/2+4, "end", g.Label)
		for i, b := range g.Bars {
			if b.Missing != "" {
				c.text(float64(left+4), y+bar-4, "start", b.Missing)
				y += bar
				continue
			}
			fmt.Fprintf(c, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", left, y+1, x(b.Value)-float64(left), bar-2, Colours[i%len(Colours)])
			end := b.Value
			if b.High > b.Low {
				c.line(x(b.Low), float64(y+bar/2), x(b.High), float64(y+bar/2), "#000000")
				end = max(end, b.High)
			}
			label := Short(b.Value)
			if b.Note != "" {
				label += "  " + b.Note
			}
			c.text(x(end)+5, y+bar-4, "start", label)
			y += bar
		}
		y += gap
	}
	return c.end()
}

// Line is a series of points.
type Line struct {
	Name string
	X, Y []float64
}

// Graph is a plot of lines.
type Graph struct {
	Title, Subtitle string
	XLabel, YLabel  string
	LogX, LogY      bool
	Lines           []Line
}

// Lines draws a graph; axes that are not logarithmic begin at 0 where that
// does not hide the lines.
func Lines(g Graph) []byte {
	const w, h, left, right, bottom = 860, 460, 70, 20, 44
	names := make([]string, len(g.Lines))
	ax, ay := newAxis(g.LogX), newAxis(g.LogY)
	for i, l := range g.Lines {
		names[i] = l.Name
		for k := range l.X {
			ax.add(l.X[k])
			ay.add(l.Y[k])
		}
	}
	ax.finish()
	ay.finish()
	c := newCanvas(w, h)
	c.text(10, 18, "start", g.Title)
	c.text(10, 34, "start", g.Subtitle)
	top := float64(c.legend(names, 52, w) + 24)
	x := func(v float64) float64 { return left + ax.at(v)*(w-left-right) }
	y := func(v float64) float64 { return h - bottom - ay.at(v)*(h-bottom-top) }
	for _, t := range ax.ticks() {
		c.line(x(t), top, x(t), h-bottom, "#dddddd")
		c.text(x(t), h-bottom+15, "middle", Short(t))
	}
	for _, t := range ay.ticks() {
		c.line(left, y(t), w-right, y(t), "#dddddd")
		c.text(left-6, int(y(t))+4, "end", Short(t))
	}
	c.text((left+w-right)/2, h-10, "middle", g.XLabel)
	c.text(10, int(top)-8, "start", g.YLabel)
	for i, l := range g.Lines {
		if len(l.X) == 1 { // no line, a point
			fmt.Fprintf(c, `<circle cx="%.1f" cy="%.1f" r="4" fill="%s"/>`+"\n", x(l.X[0]), y(l.Y[0]), Colours[i%len(Colours)])
			continue
		}
		fmt.Fprintf(c, `<polyline fill="none" stroke="%s" stroke-width="1.6" points="`, Colours[i%len(Colours)])
		for k := range l.X {
			fmt.Fprintf(c, "%.1f,%.1f ", x(l.X[k]), y(l.Y[k]))
		}
		c.WriteString(`"/>` + "\n")
	}
	return c.end()
}

type axis struct {
	log    bool
	lo, hi float64
}

func newAxis(log bool) *axis { return &axis{log: log, lo: math.Inf(1), hi: math.Inf(-1)} }

func (a *axis) add(v float64) {
	if a.log && v <= 0 {
		return
	}
	a.lo, a.hi = min(a.lo, v), max(a.hi, v)
}

func (a *axis) finish() {
	if a.lo > a.hi {
		a.lo, a.hi = 0, 1
	}
	if !a.log && a.lo > 0 && a.lo < a.hi/2 {
		a.lo = 0
	}
	if a.hi == a.lo {
		a.hi = a.lo + 1
	}
}

// at is the place of v on the axis, 0 to 1.
func (a *axis) at(v float64) float64 {
	if a.log {
		return (math.Log(max(v, a.lo)) - math.Log(a.lo)) / (math.Log(a.hi) - math.Log(a.lo))
	}
	return (v - a.lo) / (a.hi - a.lo)
}

func (a *axis) ticks() (t []float64) {
	if a.log {
		for e := math.Floor(math.Log10(a.lo)); e <= math.Ceil(math.Log10(a.hi)); e++ {
			for _, d := range []float64{1, 2, 5} {
				if v := d * math.Pow(10, e); v >= a.lo && v <= a.hi {
					t = append(t, v)
				}
			}
		}
		return t
	}
	step := niceStep((a.hi - a.lo) / 6)
	for v := math.Ceil(a.lo/step-1e-9) * step; v <= a.hi+step/1e6; v += step {
		t = append(t, v)
	}
	return t
}

// niceStep rounds up to 1, 2 or 5 times a power of ten.
func niceStep(v float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5} {
		if f*p >= v*(1-1e-9) {
			return f * p
		}
	}
	return 10 * p
}

// Short writes three digits, with k or M.
func Short(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.3gM", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%.3gk", v/1e3)
	case math.Abs(v) < 1e-9:
		return "0"
	}
	return fmt.Sprintf("%.3g", v)
}
