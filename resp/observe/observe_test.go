package observe

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestErrorCodesAreBounded(t *testing.T) {
	o := New()
	for i := range 10 * maxErrorCodes {
		o.countError(fmt.Sprintf("E%d text", i))
	}
	o.countError("E0 other text")
	l := o.ErrorCounts()
	if len(l) != maxErrorCodes || l[0] != (ErrorCount{"E0", 2}) || o.Errors.Load() != 10*maxErrorCodes+1 {
		t.Errorf("%d codes, the first %v, %d errors", len(l), l[0], o.Errors.Load())
	}
	o.Reset()
	if len(o.ErrorCounts()) != 0 || o.Errors.Load() != 0 {
		t.Error("Reset leaves errors")
	}
}

// TestCountsAreExact runs sessions side by side: whatever is measured, each command
// is counted once.
func TestCountsAreExact(t *testing.T) {
	o := New()
	rows := []*Row{o.Add("get", true, true), o.Add("lrange", false, false), o.Add("set", false, true), o.Add("x", true, true), o.Add("y", true, true)}
	var want [5]int64
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 0))
			var m Meter
			for range 300 {
				m.Begin(Nanos())
				for range 1 + rng.IntN(40) {
					k := rng.IntN(len(rows))
					if m.Skips(rows[k], 2) {
						m.Count(rows[k])
					} else {
						m.End(rows[k], m.Start())
					}
					mu.Lock()
					want[k]++
					mu.Unlock()
				}
				m.Flush()
			}
		})
	}
	wg.Wait()
	for i, f := range o.Figures() {
		if f.Name != rows[i].Name || f.Calls != want[i] || f.Nanos <= 0 {
			t.Errorf("%+v, want %d calls of %s", f, want[i], rows[i].Name)
		}
		if timed := rows[i].timed.Load(); f.Name == "lrange" && timed != f.Calls || timed == 0 || f.Histogram.Count() != timed {
			t.Errorf("%s: %d measured of %d, %d in the histogram", f.Name, timed, f.Calls, f.Histogram.Count())
		}
	}
}

func TestHistogram(t *testing.T) {
	for v := int64(0); v < 1<<maxBits; v = v*9/8 + 1 {
		i := bucket(v)
		if upper(i) <= v || i > 0 && upper(i-1) > v {
			t.Fatalf("%d is in the bucket from %d to %d", v, upper(i-1), upper(i))
		}
	}
	var h Histogram
	for v := range int64(10_000) {
		h.add(v * 1000)
	}
	h.add(1 << 60)
	h.add(-1)
	for p, want := range map[float64]float64{0: 0, 50: 5e6, 99: 9.9e6, 99.9: 9.99e6} {
		if got := float64(h.Quantile(p)); got < want*0.96 || got > want*1.04 {
			t.Errorf("p%v is %v, want about %v", p, got, want)
		}
	}
	last, rows := int64(0), 0
	h.Below(func(ns, n int64) {
		rows++
		if n <= last {
			t.Errorf("%d below %d", n, ns)
		}
		last = n
	})
	if last != h.Count() || rows < 10 {
		t.Errorf("%d of %d values in %d rows", last, h.Count(), rows)
	}
}

func words(l ...string) (b [][]byte) {
	for _, w := range l {
		b = append(b, []byte(w))
	}
	return b
}

func TestSlowLog(t *testing.T) {
	o := New()
	row := o.Add("mset", false, false)
	event := func(l ...string) *Event {
		return &Event{Row: row, Args: words(l...), Addr: "1.2.3.4:5", Name: "me"}
	}
	if row.Alarm(9_999_999) || !row.Alarm(10_000_000) {
		t.Error("the alarm is not at 10 ms")
	}
	o.SetSlowThreshold(100)
	if o.mode.Load() != exact {
		t.Error("under 1 ms not everything is measured")
	}
	o.Slowed(event("mset", "a", "b"), 99_999, false)
	o.Slowed(event("exec"), 1e9, true)
	for i := range 200 {
		o.Slowed(event("mset", fmt.Sprint(i), strings.Repeat("x", 200)), 100_000+int64(i), false)
	}
	if n := o.Slow.Len(); n != 128 {
		t.Errorf("%d entries", n)
	}
	e := o.Slow.Last(2)
	if len(e) != 2 || e[0].ID != 199 || e[1].ID != 198 || e[0].Micros != 100 || e[0].Addr != "1.2.3.4:5" || e[0].Name != "me" ||
		e[0].Args[2] != strings.Repeat("x", 128)+"... (72 more bytes)" {
		t.Errorf("%+v", e)
	}
	o.Slow.SetLimits(1, 3, 10)
	o.Slowed(event("mset", "a", "b", "c", "d"), 1e9, false)
	e = o.Slow.Last(-1)
	if len(e) != 1 || !slices.Equal(e[0].Args, []string{"mset", "a", "... (3 more arguments)"}) || e[0].ArgCount != 5 {
		t.Errorf("%+v", e)
	}
	if f := o.Slow.Figures(); f.Count != 201 || f.Longest != 1e9 {
		t.Errorf("%+v", f)
	}
	o.Slow.SetLimits(0, 3, 10)
	o.Slowed(event("mset"), 1e9, false)
	if o.Slow.Len() != 0 {
		t.Error("slowlog-max-len 0 keeps entries")
	}
	o.SetSlowThreshold(-1)
	if row.Alarm(1<<61) || o.mode.Load() != 0 {
		t.Error("slowlog-log-slower-than -1 does not end it")
	}
}

func TestRedacted(t *testing.T) {
	for _, x := range [][3]string{
		{"auth", "AUTH secret", "AUTH (redacted)"},
		{"auth", "auth me secret", "auth (redacted) (redacted)"},
		{"hello", "HELLO 3 AUTH me secret SETNAME AUTH", "HELLO 3 AUTH (redacted) (redacted) SETNAME AUTH"},
		{"hello", "HELLO 3 SETNAME x", "HELLO 3 SETNAME x"},
		{"config|set", "CONFIG SET requirepass p maxmemory 1", "CONFIG SET requirepass (redacted) maxmemory 1"},
		{"acl|setuser", "ACL SETUSER a on >b", "ACL SETUSER (redacted) (redacted) (redacted)"},
		{"migrate", "MIGRATE h 1 k 0 5 AUTH2 u p", "MIGRATE h 1 k 0 5 AUTH2 (redacted) (redacted)"},
		{"set", "SET auth x", "SET auth x"},
	} {
		var got []string
		for _, a := range Redacted(x[0], words(strings.Fields(x[1])...)) {
			got = append(got, string(a))
		}
		if s := strings.Join(got, " "); s != x[2] {
			t.Errorf("%s: %s, want %s", x[1], s, x[2])
		}
	}
}

type frames struct{ l []string }

func (f *frames) Push(b []byte) { f.l = append(f.l, string(b)) }

func TestMonitor(t *testing.T) {
	o := New()
	row := o.Add("set", false, true)
	a, b := &frames{}, &frames{}
	o.Monitor.Add(a)
	o.Monitor.Add(a)
	o.Monitor.Add(b)
	if o.Monitor.Len() != 2 || !row.Watched() {
		t.Error("who watches?")
	}
	o.Monitor.Remove(b)
	o.Monitor.Show(&Event{Row: row, Args: words("SET", "k\"\\", "\x00\n\r\t\a\b é"), DB: 3, Addr: "1.2.3.4:5"})
	o.Monitor.Show(&Event{Row: row, Args: words("SET"), Addr: "/s:0", Unix: true})
	o.Monitor.Show(&Event{Row: row, Args: words("SET"), Script: true})
	o.Monitor.Remove(a)
	want := []string{`[3 1.2.3.4:5] "SET" "k\"\\" "\x00\n\r\t\a\b \xc3\xa9"`, `[0 unix:/s] "SET"`, `[0 lua] "SET"`}
	if len(b.l) != 0 || row.Watched() {
		t.Errorf("%q", b.l)
	}
	for i, s := range a.l {
		at, rest, _ := strings.Cut(s, " ")
		if rest != want[i]+"\r\n" || len(at) != len("+1796005245.157265") {
			t.Errorf("%q, want %q", s, want[i])
		}
	}
}

func TestLatency(t *testing.T) {
	o := New()
	now := time.Now().Unix()
	o.Spikes.Note("command", time.Hour)
	if !strings.Contains(o.Spikes.Report(), "disabled") || len(o.Spikes.Latest()) != 0 {
		t.Error("latency-monitor-threshold 0 keeps spikes")
	}
	o.SetSpikeThreshold(10)
	if !strings.HasPrefix(o.Spikes.Report(), "No latency spike") || o.mode.Load() != exact {
		t.Error(o.Spikes.Report())
	}
	o.Spikes.Note("command", 9*time.Millisecond)
	for i := range int64(200) {
		o.Spikes.noteAt("command", 100+i, now-400+2*i)
		o.Spikes.noteAt("command", 50, now-400+2*i)
	}
	o.Spikes.Note("fast-command", 12*time.Millisecond)
	h := o.Spikes.History("command")
	if len(h) != maxSamples || h[0].Millis != 140 || h[maxSamples-1] != (Sample{now - 2, 299}) {
		t.Errorf("%d samples, from %v to %v", len(h), h[0], h[len(h)-1])
	}
	if l := o.Spikes.Latest(); len(l) != 2 || l[0].Event != "command" || l[0].Max != 299 || l[1].Millis != 12 {
		t.Errorf("%+v", l)
	}
	report := o.Spikes.Report()
	for _, want := range []string{"1. command: 160 latency spikes (average 219ms, mean deviation 40ms, period ", "Worst all time event 299ms.", "SLOWLOG GET", "2. fast-command: 1 "} {
		if !strings.Contains(report, want) {
			t.Errorf("the report lacks %q:\n%s", want, report)
		}
	}
	g, ok := o.Spikes.Graph("command")
	if _, none := o.Spikes.Graph("nosuch"); !ok || none || !strings.HasPrefix(g, "command - high 299 ms, low 140 ms (all time high 299 ms)\n------") {
		t.Error(g)
	}
	if o.Spikes.Clear("nosuch", "command") != 1 || o.Spikes.Clear() != 1 || len(o.Spikes.Latest()) != 0 {
		t.Error("Clear")
	}
}

func TestGraph(t *testing.T) {
	got := graph("e", []Sample{{100, 5}, {130, 10}, {160, 15}, {161, 1}}, 20, 162)
	want := "e - high 15 ms, low 1 ms (all time high 20 ms)\n" + strings.Repeat("-", 80) + "\n" +
		"  # \n" +
		" o| \n" +
		"_|| \n" +
		"|||_\n" +
		"    \n" +
		"1321\n" +
		"m2ss\n" +
		" s  \n"
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func BenchmarkMeter(b *testing.B) {
	o := New()
	quick, slow := o.Add("get", true, true), o.Add("lrange", false, false)
	for _, x := range []struct {
		name string
		row  *Row
		n    int
	}{{"quick/pipeline=64", quick, 64}, {"quick/pipeline=1", quick, 1}, {"slow/pipeline=64", slow, 64}} {
		b.Run(x.name, func(b *testing.B) {
			var m Meter
			for i := 0; b.Loop(); i++ {
				if i%x.n == 0 {
					m.Flush()
					m.Begin(Nanos())
				}
				if m.Skips(x.row, 2) {
					m.Count(x.row)
				} else {
					m.End(x.row, m.Start())
				}
			}
		})
	}
}
