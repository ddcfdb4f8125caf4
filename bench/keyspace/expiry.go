package keyspace

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
	"github.com/nearcache/nearcache/resp/client"
)

// expiryRow is what happens while many keys fall due.
type expiryRow struct {
	Server string  `json:"server"`
	Due    int     `json:"due"`    // keys that fall due within one second
	Gone   float64 `json:"gone"`   // seconds after that second until all are gone; 0 within it
	Left   int     `json:"left"`   // keys that are there 30 s after
	Calm   latency `json:"calm"`   // of reads in the second before
	Storm  latency `json:"storm"`  // of reads from the first key's time until all were gone
	Reads  int     `json:"reads"`  // in the storm
	Behind int     `json:"behind"` // reads in the storm that were sent late, which counts
}

// latency is in ms.
type latency struct {
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

func latencyOf(l []time.Duration) latency {
	if len(l) == 0 {
		return latency{}
	}
	slices.Sort(l)
	at := func(q float64) float64 { return l[min(len(l)-1, int(q*float64(len(l))))].Seconds() * 1e3 }
	return latency{at(0.5), at(0.99), at(0.999), at(1)}
}

func median(l []float64) float64 {
	slices.Sort(l)
	return l[len(l)/2]
}

func (b *bench) measureExpiry(r *report) error {
	for _, spec := range b.specs {
		row, err := b.expiryServer(spec)
		if err != nil {
			return err
		}
		r.Expiry = append(r.Expiry, row)
	}
	return nil
}

// others are the keys that are read.
const others = 100_000

func (b *bench) expiryServer(spec peer.Spec) (row expiryRow, err error) {
	s, err := b.at.Open(b, spec)
	if err != nil {
		return row, err
	}
	defer s.Close()
	if _, err := s.Ctl.Do("FLUSHALL"); err != nil {
		return row, err
	}
	row = expiryRow{Server: spec.Name, Due: b.due}
	value := make([]byte, 64)
	if err := fill(s, others, func(p *client.Pipeline, i int) { p.Add("SET", "other:"+strconv.Itoa(i), value) }); err != nil {
		return row, err
	}
	// Loading takes a microsecond or three for each, on a slow machine ten.
	first := time.Now().Add(3*time.Second + time.Duration(b.due)*10*time.Microsecond).Truncate(time.Second)
	err = fill(s, b.due, func(p *client.Pipeline, i int) {
		p.Add("SET", stringKey(i), value, "PXAT", strconv.FormatInt(first.UnixMilli()+int64(i)*1000/int64(b.due), 10))
	})
	if err != nil {
		return row, err
	}
	if time.Until(first) < time.Second {
		return row, fmt.Errorf("%s: loading took too long", spec.Name)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	reads := make([][]read, b.readers)
	errs := make([]error, b.readers)
	for i := range reads {
		wg.Go(func() { reads[i], errs[i] = b.reader(s.Addr, uint64(i), first.Add(-time.Second), stop) })
	}
	gone, left, err := b.awaitGone(s, first.Add(time.Second))
	close(stop)
	wg.Wait()
	for _, e := range errs {
		if err == nil {
			err = e
		}
	}
	if err != nil {
		return row, err
	}
	row.Left = left
	row.Gone = max(0, gone.Sub(first.Add(time.Second)).Seconds())
	var calm, storm []time.Duration
	for _, l := range reads {
		for _, x := range l {
			switch {
			case x.at.Before(first):
				calm = append(calm, x.took)
			case x.at.Before(gone):
				storm = append(storm, x.took)
				if x.late {
					row.Behind++
				}
			}
		}
	}
	row.Calm, row.Storm, row.Reads = latencyOf(calm), latencyOf(storm), len(storm)
	fmt.Fprintf(b.progress, "%+v\n", row)
	return row, nil
}

// awaitGone waits until the keys are gone, and returns when that was seen. The
// answer of DBSIZE counts what is due and still there.
func (b *bench) awaitGone(s *peer.Server, due time.Time) (at time.Time, left int, err error) {
	for {
		v, err := s.Ctl.Do("DBSIZE")
		if err != nil {
			return at, 0, err
		}
		now := time.Now()
		left = max(0, int(v.Int)-others)
		if left == 0 || now.After(due.Add(30*time.Second)) || b.Err() != nil {
			return now, left, b.Err()
		}
		time.Sleep(5 * time.Millisecond)
	}
}

type read struct {
	at   time.Time // when it was due to be sent
	took time.Duration
	late bool // it was sent later than that, by the one before
}

// reader reads other keys at a steady rate: a read that has to wait for the one
// before counts from when it was due.
func (b *bench) reader(addr string, seed uint64, from time.Time, stop chan struct{}) ([]read, error) {
	c, err := client.Dial(b, addr, client.Options{Proto: 2, Timeout: time.Minute})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	rnd := rand.New(rand.NewPCG(seed, 3))
	gap := time.Second / time.Duration(b.rate)
	time.Sleep(time.Until(from))
	var l []read
	for at := from; ; at = at.Add(gap) {
		select {
		case <-stop:
			return l, nil
		default:
		}
		late := time.Since(at) > gap
		for time.Until(at) > 0 {
			time.Sleep(time.Until(at))
		}
		start := time.Now()
		if late {
			start = at
		}
		v, err := c.Do("GET", "other:"+strconv.Itoa(rnd.IntN(others)))
		if err != nil {
			return nil, err
		}
		if len(v.Str) != 64 {
			return nil, fmt.Errorf("a key that has no time to live is gone")
		}
		l = append(l, read{at, time.Since(start), late})
	}
}

func (r *report) writeExpiry(w io.Writer) {
	if len(r.Expiry) == 0 {
		return
	}
	fmt.Fprint(w, "\n## Many keys fall due within a second\n\nReads of other keys meanwhile, at a steady rate; a read that had to wait for the one before counts from when it was due. ms, with those of the second before in brackets.\n\n")
	fmt.Fprint(w, "| server | keys due | all gone, seconds after | reads | p50 | p99 | p99.9 | worst |\n|---|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, x := range r.Expiry {
		gone := fmt.Sprintf("%.2f", x.Gone)
		if x.Left > 0 {
			gone = fmt.Sprintf("%d are left", x.Left)
		}
		c, s := x.Calm, x.Storm
		fmt.Fprintf(w, "| %s | %d | %s | %d | %.2f (%.2f) | %.2f (%.2f) | %.2f (%.2f) | %.2f (%.2f) |\n", x.Server, x.Due, gone, x.Reads,
			s.P50, c.P50, s.P99, c.P99, s.P999, c.P999, s.Max, c.Max)
	}
}
