package observe

import (
	"fmt"
	"strings"
	"time"
)

// Graph draws an event's samples, or returns false where there are none.
func (l *Latency) Graph(event string) (string, bool) {
	samples := l.History(event)
	if len(samples) == 0 {
		return "", false
	}
	l.mu.Lock()
	ever := int64(0)
	if s := l.events[event]; s != nil {
		ever = s.max
	}
	l.mu.Unlock()
	return graph(event, samples, ever, time.Now().Unix()), true
}

const (
	graphRows = 4
	graphCols = 80
	graphInk  = "_o#" // of a row, by how full it is
)

func graph(event string, samples []Sample, ever, now int64) string {
	low, high := samples[0].Millis, samples[0].Millis
	for _, s := range samples {
		low, high = min(low, s.Millis), max(high, s.Millis)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s - high %d ms, low %d ms (all time high %d ms)\n", event, high, low, ever)
	b.WriteString(strings.Repeat("-", graphCols) + "\n")
	for i := 0; i < len(samples); i += graphCols {
		if i > 0 {
			b.WriteByte('\n')
		}
		graphLines(&b, samples[i:min(i+graphCols, len(samples))], low, high, now)
	}
	return b.String()
}

// graphLines draws samples side by side as bars of graphRows lines, and under each
// when it was, downwards.
func graphLines(b *strings.Builder, samples []Sample, low, high, now int64) {
	const steps = graphRows * len(graphInk) // of a bar's height
	line := make([]byte, len(samples))
	for row := range graphRows {
		floor := (graphRows - row - 1) * len(graphInk)
		for i, s := range samples {
			step := min(int((s.Millis-low)*int64(steps)/max(high-low, 1)), steps-1)
			switch {
			case step < floor:
				line[i] = ' '
			case step < floor+len(graphInk):
				line[i] = graphInk[step-floor]
			default:
				line[i] = '|'
			}
		}
		fmt.Fprintf(b, "%s\n", line)
	}
	labels := make([]string, len(samples))
	longest := 0
	for i, s := range samples {
		labels[i] = age(now - s.Unix)
		longest = max(longest, len(labels[i]))
	}
	for row := -1; row < longest; row++ { // one line in between
		for i, label := range labels {
			line[i] = ' '
			if row >= 0 && row < len(label) {
				line[i] = label[row]
			}
		}
		fmt.Fprintf(b, "%s\n", line)
	}
}

// age is a time in the largest unit that fits.
func age(s int64) string {
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm", s/60)
	case s < 86400:
		return fmt.Sprintf("%dh", s/3600)
	}
	return fmt.Sprintf("%dd", s/86400)
}

// Report says what the spikes come from and what can be done.
func (l *Latency) Report() string {
	events := l.Latest()
	if len(events) == 0 {
		if l.threshold.Load() == 0 {
			return "Latency monitoring is disabled in this instance. Use \"CONFIG SET latency-monitor-threshold <milliseconds>\" to enable it.\n"
		}
		return "No latency spike was observed during the lifetime of this instance.\n"
	}
	var b strings.Builder
	b.WriteString("Latency spikes were observed in this instance:\n\n")
	kinds := map[string]bool{}
	for i, e := range events {
		kinds[e.Event] = true
		samples := l.History(e.Event)
		if len(samples) == 0 {
			continue // cleared meanwhile
		}
		sum, off := int64(0), int64(0)
		for _, s := range samples {
			sum += s.Millis
		}
		mean := sum / int64(len(samples))
		for _, s := range samples {
			off += max(s.Millis-mean, mean-s.Millis)
		}
		n := int64(len(samples))
		period := float64(max(time.Now().Unix()-samples[0].Unix, 1)) / float64(n)
		fmt.Fprintf(&b, "%d. %s: %d latency spikes (average %dms, mean deviation %dms, period %.2f sec). Worst all time event %dms.\n",
			i+1, e.Event, n, mean, off/n, period, e.Max)
	}
	b.WriteString("\nWhat can be done:\n\n")
	if kinds["command"] {
		b.WriteString("- Commands that look at many elements take long. SLOWLOG GET lists those that took more than slowlog-log-slower-than microseconds; " +
			"use SCAN, HSCAN, SSCAN and ZSCAN, or ranges, in place of commands that return everything at once, and UNLINK in place of DEL.\n")
	}
	if kinds["fast-command"] {
		b.WriteString("- Commands that are fast by themselves took long: they have waited for others on the same keys, or for a processor. " +
			"Compare the times with those of slow commands, and see that the machine is not overloaded.\n")
	}
	if kinds["expire-cycle"] {
		b.WriteString("- Many keys have expired within a short time. Where that comes from keys made at once with the same time to live, vary it a little.\n")
	}
	if kinds["eviction-cycle"] {
		b.WriteString("- Making room under maxmemory took long. Raise maxmemory, or lower maxmemory-eviction-tenacity.\n")
	}
	return b.String()
}
