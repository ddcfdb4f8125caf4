package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
)

// colours of the peers in order; they differ in lightness too.
var colours = []string{"#1b6ca8", "#e08214", "#4d9221", "#8e5ea2", "#555555"}

// svg draws operations per second: a group for each case, a bar for each peer,
// a line from the lowest to the highest round.
func (r *report) svg() []byte {
	const left, right, bar, gap, top = 150, 190, 16, 12, 48
	width := 860
	scale := 0.0
	height := top
	for _, c := range r.Cases {
		height += len(c.Peers)*bar + gap
		for _, p := range c.Peers {
			scale = max(scale, p.High)
		}
	}
	height += 34
	if scale == 0 {
		scale = 1
	}
	x := func(v float64) float64 { return left + v/scale*float64(width-left-right) }
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, height)
	text := func(x float64, y int, anchor, s string) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="%s" fill="#222222">%s</text>`+"\n", x, y, anchor, html.EscapeString(s))
	}
	text(10, 18, "start", fmt.Sprintf("%s: operations per second (%s, %d cores, %s)", r.Name, r.Machine.CPU, r.Machine.Cores, r.Date[:10]))
	at := float64(10)
	for i, p := range r.Peers {
		label := p.Name + " " + p.Version
		fmt.Fprintf(&b, `<rect x="%.1f" y="26" width="10" height="10" fill="%s"/>`+"\n", at, colours[i%len(colours)])
		text(at+14, 35, "start", label)
		at += 34 + 6.5*float64(len(label))
	}
	step := niceStep(scale / 5)
	for v := 0.0; v <= scale; v += step {
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#dddddd"/>`+"\n", x(v), top, x(v), height-28)
		text(x(v), height-14, "middle", short(v))
	}
	y := top + gap/2
	for _, c := range r.Cases {
		text(left-8, y+len(c.Peers)*bar/2+4, "end", c.title())
		for i, p := range c.Peers {
			if p.Skipped != "" {
				text(left+4, y+bar-4, "start", "not supported")
				y += bar
				continue
			}
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", left, y+1, x(p.Median.OpsPerSecond)-left, bar-2, colours[i%len(colours)])
			fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#000000"/>`+"\n", x(p.Low), y+bar/2, x(p.High), y+bar/2)
			label := short(p.Median.OpsPerSecond)
			if p.Ratio != nil {
				label += fmt.Sprintf("  %.2fx of %s", p.Ratio.Median, p.Ratio.To)
			}
			text(x(p.High)+5, y+bar-4, "start", label)
			y += bar
		}
		y += gap
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// niceStep rounds up to 1, 2 or 5 times a power of ten.
func niceStep(v float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5} {
		if f*p >= v {
			return f * p
		}
	}
	return 10 * p
}

func short(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.3gM", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%.3gk", v/1e3)
	}
	return fmt.Sprintf("%.3g", v)
}
