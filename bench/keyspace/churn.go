package keyspace

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
	"github.com/nearcache/nearcache/resp/client"
)

// churnRow is what a server holds while its data change, beside its limit.
type churnRow struct {
	Server  string  `json:"server"`
	Limit   int64   `json:"limit"` // maxmemory
	Seconds float64 `json:"seconds"`
	Written int64   `json:"written"` // bytes of values
	Phases  int     `json:"phases"`
	RSS     int64   `json:"rss"`    // most seen
	Used    int64   `json:"used"`   // most seen
	Idle    int64   `json:"idle"`   // RSS some seconds after the end, when all keys are deleted
	Errors  int     `json:"errors"` // writes that were refused
}

// sizes of values in the phases of churn, which follow each other again and again.
var sizes = []func(*rand.Rand) int{
	func(*rand.Rand) int { return 64 },
	func(r *rand.Rand) int { return r.IntN(4000) },
	func(r *rand.Rand) int { return 100 + r.IntN(200) },
	func(r *rand.Rand) int { return 15_000 + r.IntN(4000) },
	func(r *rand.Rand) int { return 100_000 + r.IntN(200_000) },
	func(r *rand.Rand) int { return 1 << r.IntN(17) },
}

const phaseTime = 10 * time.Second

func (b *bench) measureChurn(r *report) error {
	for _, spec := range b.specs {
		row, err := b.churnServer(spec)
		if err != nil {
			return err
		}
		r.Churn = append(r.Churn, row)
	}
	return nil
}

func (b *bench) churnServer(spec peer.Spec) (row churnRow, err error) {
	spec = spec.With("--maxmemory", b.maxMemory, "--maxmemory-policy", "allkeys-lru")
	s, err := b.at.Open(b, spec)
	if err != nil {
		return row, err
	}
	defer s.Close()
	row.Server = spec.Name
	if row.Limit, err = strconv.ParseInt(s.Info()["maxmemory"], 10, 64); err != nil || row.Limit == 0 {
		return row, fmt.Errorf("%s says nothing of maxmemory", spec.Name)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	value := make([]byte, 400_000)
	for i := range value {
		value[i] = byte(rnd.Uint32())
	}
	look := func() {
		used, rss := memory(s)
		row.Used, row.RSS = max(row.Used, used), max(row.RSS, rss)
	}
	start := time.Now()
	for time.Since(start) < b.churn && b.Err() == nil {
		size := sizes[row.Phases%len(sizes)]
		row.Phases++
		for end := time.Now().Add(phaseTime); time.Now().Before(end); {
			p := s.Ctl.Pipeline()
			for sent := 0; sent < 500_000 && p.Len() < 1000; {
				n := size(rnd)
				sent += n + 100
				row.Written += int64(n)
				at := rnd.IntN(len(value) - n)
				p.Add("SET", "key:"+strconv.Itoa(rnd.IntN(4*int(row.Limit)/(n+100))), value[at:at+n])
			}
			err := p.Each(func(_ int, v client.Value) {
				if v.Err() != nil {
					row.Errors++
				}
			})
			if err != nil {
				return row, err
			}
			look()
		}
		fmt.Fprintf(b.progress, "%s: phase %d: used %d MB, process %d MB at most\n", spec.Name, row.Phases, row.Used>>20, row.RSS>>20)
	}
	row.Seconds = time.Since(start).Seconds()
	if _, err := s.Ctl.Do("FLUSHALL"); err != nil {
		return row, err
	}
	select {
	case <-b.Done():
	case <-time.After(5 * time.Second):
	}
	_, row.Idle = memory(s)
	return row, nil
}

func (r *report) writeChurn(w io.Writer) {
	if len(r.Churn) == 0 {
		return
	}
	fmt.Fprintf(w, "\n## Churn at maxmemory\n\nValues of other sizes every %v: 64 bytes, up to 4 kB, 100 to 300, around 17 kB, 100 to 300 kB, all. MB.\n\n", phaseTime)
	fmt.Fprint(w, "| server | seconds | written | maxmemory | 1.15 x that + 64 | most used | most of the process | after FLUSHALL | refused |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, c := range r.Churn {
		fmt.Fprintf(w, "| %s | %.0f | %d | %d | %d | %d | %d | %d | %d |\n", c.Server, c.Seconds, c.Written>>20, c.Limit>>20,
			(c.Limit*115/100+64<<20)>>20, c.Used>>20, c.RSS>>20, c.Idle>>20, c.Errors)
	}
}
