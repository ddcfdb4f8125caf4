package ann

import (
	"bytes"
	"fmt"
	"html"
	"math"
)

// colors of the engines: ours are blues, as many as there are variants.
var (
	ourColors   = []string{"#08306b", "#1b6ac9", "#4aa3df", "#7fc8e8", "#3f51b5", "#0a9396"}
	otherColors = []string{"#d1495b", "#a4243b", "#edae49", "#b5651d", "#8c6d31", "#66a182", "#2e6f40", "#7b4b94", "#888888"}
)

// plot draws recall against queries per second, both logarithmic, recall by
// what is missing to 1: up and to the right is better.
func (r *result) plot() []byte {
	const w, h, left, right, top, bottom = 960, 560, 70, 190, 50, 50
	ticks := []float64{0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999}
	const worst, best = 0.25, 0.0007 // of 1-recall
	lowQ, highQ := math.Inf(1), 0.0
	for _, e := range r.Engines {
		for _, p := range e.Points {
			if 1-p.Recall <= worst {
				lowQ, highQ = min(lowQ, p.speed()), max(highQ, p.speed())
			}
		}
	}
	lo, hi := math.Log10(max(min(lowQ, highQ), 1))-0.05, math.Log10(max(highQ, 10))+0.05
	x := func(recall float64) float64 {
		f := (math.Log(worst) - math.Log(max(1-recall, best))) / (math.Log(worst) - math.Log(best))
		return left + f*(w-left-right)
	}
	y := func(q float64) float64 { return h - bottom - (math.Log10(max(q, 1))-lo)/(hi-lo)*(h-top-bottom) }

	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", w, h)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", w, h)
	fmt.Fprintf(&b, `<text x="%d" y="20" font-size="14">recall@%d against queries a second of processor time: %s, %d x %d, %s</text>`+"\n",
		left, r.K, html.EscapeString(r.Data), r.N, r.Dim, r.Metric)
	fmt.Fprintf(&b, `<text x="%d" y="38" fill="#555">one thread, M=%d, efConstruction=%d, %s, %s, commit %s</text>`+"\n", left, r.M, r.EFC, html.EscapeString(r.Machine), r.Date, html.EscapeString(r.Commit))
	for _, t := range ticks {
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle">%g</text>`+"\n",
			x(t), top, x(t), h-bottom, x(t), h-bottom+18, t)
	}
	for e := math.Floor(lo); e <= math.Ceil(hi); e++ {
		for _, d := range []float64{1, 2, 5} {
			q := d * math.Pow(10, e)
			if l := math.Log10(q); l < lo || l > hi {
				continue
			}
			fmt.Fprintf(&b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%.0f</text>`+"\n",
				left, y(q), w-right, y(q), left-6, y(q)+4, q)
		}
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">recall</text>`+"\n", (left+w-right)/2, h-10)
	var ours, others int
	for i, e := range r.Engines {
		c := otherColors[others%len(otherColors)]
		wide := 1.5
		if e.ours() || e.Name == "flat" {
			c, wide = ourColors[ours%len(ourColors)], 2.5
			ours++
		} else {
			others++
		}
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="%g" points="`, c, wide)
		for _, p := range e.Points {
			if 1-p.Recall <= worst {
				fmt.Fprintf(&b, "%.1f,%.1f ", x(p.Recall), y(p.speed()))
			}
		}
		b.WriteString(`"/>` + "\n")
		for _, p := range e.Points {
			if 1-p.Recall <= worst {
				fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"><title>%s ef=%d recall %.4f, %.0f queries a second</title></circle>`+"\n",
					x(p.Recall), y(p.speed()), c, html.EscapeString(e.Name), p.EF, p.Recall, p.speed())
			}
		}
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="12" height="12" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n",
			w-right+20, top+20*i, c, w-right+38, top+10+20*i, html.EscapeString(e.Name))
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// speed is queries per second of processor time where that is known.
func (p point) speed() float64 {
	if p.CPUQPS > 0 {
		return p.CPUQPS
	}
	return p.QPS
}
