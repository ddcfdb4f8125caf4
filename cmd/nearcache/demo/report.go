package demo

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Report is what Run saw.
type Report struct {
	Addr      string
	Dim       int
	Threshold float64

	Stored    int
	StoreTime time.Duration

	Questions int
	Tallies   []Tally         // by threshold, ascending; the last is Threshold
	Semantic  []time.Duration // of each look-up by meaning

	Repeats       int // stored prompts asked again
	ExactHits     int // of them, by key
	SameByMeaning int // of them, by meaning, at distance 0
	Exact         []time.Duration

	Tracking Tracking
}

// Tally counts what the questions found within one threshold.
type Tally struct {
	Threshold            float64
	Right, Wrong, Missed int
}

func (t *Tally) count(found bool, h hit, want string) {
	switch {
	case !found || h.distance > t.Threshold:
		t.Missed++
	case h.answer == want:
		t.Right++
	default:
		t.Wrong++
	}
}

// Tracking is what the client with local copies saw.
type Tracking struct {
	Copies                    int // answers it kept
	Changed, Deleted, Expired int // entries whose answer changed or went
	Invalidations, Flushes    int // pushes: keys, and everything
	Kept                      int // copies that are still there
	Stale                     int // copies that should have gone
	WrongReads                int // answers read afterwards that are not true
	Lookups, Ghosts           int // look-ups by meaning afterwards, and those that found an entry that is gone
}

// Err says what a cache must never do and this one did; nil is how it should
// be.
func (r *Report) Err() error {
	var bad []string
	f := func(n int, what string) {
		if n != 0 {
			bad = append(bad, fmt.Sprintf("%d %s", n, what))
		}
	}
	f(r.Repeats-r.ExactHits, "stored prompts were not found by their key")
	f(r.Repeats-r.SameByMeaning, "stored prompts were not found by meaning")
	f(r.Tracking.Stale, "copies are stale")
	f(r.Tracking.WrongReads, "answers were read that are not true any more")
	f(r.Tracking.Ghosts, "look-ups found an entry that is gone")
	if len(bad) == 0 {
		return nil
	}
	return fmt.Errorf("the cache was wrong: %s", strings.Join(bad, "; "))
}

// Print writes the report for a person.
func (r *Report) Print(w io.Writer) {
	p := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	p("")
	p("A semantic cache of %s answered customer questions (Banking77, all-MiniLM-L6-v2, %d dimensions)", commas(r.Stored), r.Dim)
	p("  stored         %s prompts in %v, %s a second; each is found as soon as its write is answered", commas(r.Stored), r.StoreTime.Round(time.Millisecond), commas(int(float64(r.Stored)/r.StoreTime.Seconds())))
	p("")
	p("%s new questions, asked by meaning (FT.SEARCH VECTOR_RANGE, as RedisVL's SemanticCache asks)", commas(r.Questions))
	p("  distance up to     hits   right   wrong            misses")
	for _, t := range r.Tallies {
		hits := t.Right + t.Wrong
		p("  %-14.2f %8s %7s %7s  %8s %8s", t.Threshold, commas(hits), commas(t.Right), commas(t.Wrong), fmt.Sprintf("(%.1f%%)", 100*float64(t.Wrong)/float64(max(r.Questions, 1))), commas(t.Missed))
	}
	p("  right: the stored answer is the answer to the new question too; wrong in per cent of all questions")
	p("  latency        %s", latency(r.Semantic))
	p("")
	p("%s stored prompts, asked again letter by letter", commas(r.Repeats))
	p("  exact hits     %s of %s by key, %s of %s by meaning", commas(r.ExactHits), commas(r.Repeats), commas(r.SameByMeaning), commas(r.Repeats))
	p("  latency        %s by key", latency(r.Exact))
	t := r.Tracking
	p("")
	p("A second client keeps %s answers in its own memory (CLIENT TRACKING, RESP3)", commas(t.Copies))
	p("  on the server  %s answers change, %s are deleted, %s expire", commas(t.Changed), commas(t.Deleted), commas(t.Expired))
	p("  pushed to it   %s invalidations%s; it keeps %s copies", commas(t.Invalidations), flushes(t.Flushes), commas(t.Kept))
	p("  stale copies   %d; untrue answers read afterwards: %d", t.Stale, t.WrongReads)
	p("  by meaning     %s look-ups found %d entries that are gone", commas(t.Lookups), t.Ghosts)
	p("")
}

func flushes(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" and %d of everything", n)
}

// latency shows the percentiles of all round trips.
func latency(all []time.Duration) string {
	if len(all) == 0 {
		return "none"
	}
	all = slices.Sorted(slices.Values(all))
	at := func(q float64) string {
		d := all[min(int(q*float64(len(all))), len(all)-1)]
		return fmt.Sprintf("%.3f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("p50 %s, p90 %s, p99 %s, longest %s", at(.5), at(.9), at(.99), at(1))
}
