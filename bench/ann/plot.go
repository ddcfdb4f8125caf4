package ann

import (
	"bytes"
	"fmt"
	"html"
	"math"
)

// plot draws recall against queries per second, the latter logarithmic: up and
// to the right is better.
func (r *result) plot() []byte {
	const w, h, left, right, top, bottom = 760, 480, 70, 20, 50, 50
	colors := []string{"#1b6ac9", "#7a8b99", "#d1495b", "#edae49", "#66a182"}
	lowRecall, lowQ, highQ := 1.0, math.Inf(1), 0.0
	for _, e := range r.Engines {
		for _, p := range e.Points {
			lowRecall = min(lowRecall, p.Recall)
			lowQ, highQ = min(lowQ, p.QPS), max(highQ, p.QPS)
		}
	}
	lowRecall = math.Floor(lowRecall*20) / 20
	if lowRecall >= 1 {
		lowRecall = 0.95
	}
	lo, hi := math.Floor(math.Log10(max(lowQ, 1))), math.Ceil(math.Log10(max(highQ, 10)))
	if hi <= lo {
		hi = lo + 1
	}
	x := func(recall float64) float64 { return left + (recall-lowRecall)/(1-lowRecall)*(w-left-right) }
	y := func(q float64) float64 { return h - bottom - (math.Log10(max(q, 1))-lo)/(hi-lo)*(h-top-bottom) }

	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", w, h)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", w, h)
	fmt.Fprintf(&b, `<text x="%d" y="20" font-size="14">recall@%d against queries a second, one thread: %s, %d x %d, M=%d, efConstruction=%d</text>`+"\n",
		left, r.K, html.EscapeString(r.Data), r.N, r.Dim, r.M, r.EFC)
	fmt.Fprintf(&b, `<text x="%d" y="38" fill="#555">%s, %s, commit %s</text>`+"\n", left, html.EscapeString(r.Machine), r.Date, html.EscapeString(r.Commit))
	for i := range 6 {
		v := lowRecall + (1-lowRecall)*float64(i)/5
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle">%.3g</text>`+"\n",
			x(v), top, x(v), h-bottom, x(v), h-bottom+18, v)
	}
	for d := lo; d <= hi; d++ {
		for m := 1.0; m < 10 && d+math.Log10(m) <= hi; m++ {
			q := m * math.Pow(10, d)
			color := "#f0f0f0"
			if m == 1 {
				color = "#ccc"
				fmt.Fprintf(&b, `<text x="%d" y="%.1f" text-anchor="end">%.0f</text>`+"\n", left-6, y(q)+4, q)
			}
			fmt.Fprintf(&b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="%s"/>`+"\n", left, y(q), w-right, y(q), color)
		}
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">recall</text>`+"\n", (left+w-right)/2, h-12)
	for i, e := range r.Engines {
		c := colors[i%len(colors)]
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="2" points="`, c)
		for _, p := range e.Points {
			fmt.Fprintf(&b, "%.1f,%.1f ", x(p.Recall), y(p.QPS))
		}
		b.WriteString(`"/>` + "\n")
		for _, p := range e.Points {
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"><title>%s ef=%d recall %.4f, %.0f queries a second</title></circle>`+"\n",
				x(p.Recall), y(p.QPS), c, html.EscapeString(e.Name), p.EF, p.Recall, p.QPS)
		}
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="12" height="12" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n",
			left+15, h-bottom-25-20*i, c, left+33, h-bottom-15-20*i, html.EscapeString(e.Name))
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}
