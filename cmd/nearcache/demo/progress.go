package demo

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// progress shows how far a step is: a bar that is drawn over on a terminal, a
// line at its begin and one at its end elsewhere.
type progress struct {
	w   io.Writer // nil: show nothing
	bar bool

	what  string
	total int
	note  string
	drawn time.Time
	start time.Time
}

const barWidth = 30

func (p *progress) begin(what string, total int) {
	p.what, p.total, p.note, p.drawn, p.start = what, total, "", time.Time{}, time.Now()
	if p.w != nil && !p.bar {
		fmt.Fprintf(p.w, "%s: %s ...\n", what, commas(total))
	}
}

// step says that done of the total are done; at most 20 bars a second are
// drawn.
func (p *progress) step(done int, note string) {
	p.note = note
	if p.w == nil || !p.bar || done < p.total && time.Since(p.drawn) < 50*time.Millisecond {
		return
	}
	p.drawn = time.Now()
	p.draw(done)
}

func (p *progress) draw(done int) {
	full := barWidth
	if p.total > 0 {
		full = min(barWidth*done/p.total, barWidth)
	}
	fmt.Fprintf(p.w, "\r\x1b[K%-30s [%s%s] %s/%s  %s", p.what, strings.Repeat("#", full), strings.Repeat("-", barWidth-full), commas(done), commas(p.total), p.note)
}

func (p *progress) end() {
	if p.w == nil {
		return
	}
	took := time.Since(p.start).Round(10 * time.Millisecond)
	if p.bar {
		p.draw(p.total)
		fmt.Fprintf(p.w, "  %v\n", took)
		return
	}
	fmt.Fprintf(p.w, "%s: done in %v", p.what, took)
	if p.note != "" {
		fmt.Fprintf(p.w, ", %s", p.note)
	}
	fmt.Fprintln(p.w)
}

// commas writes n with a comma every three digits.
func commas(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
