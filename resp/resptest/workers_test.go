package resptest_test

import (
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/nearcache/nearcache/resp/resptest"
)

// jobs counts what workers have done.
type jobs struct {
	sync.Mutex
	done  map[string]int // job → how often it was finished
	acked int            // how often an acknowledgement was the first
	again int            // deliveries that were not the first
}

// work reads jobs as a consumer of the group and finishes them, as long as more
// says so; it is asked when jobs were delivered, before they are done. A worker
// that stops there has died: the jobs stay pending.
func (j *jobs) work(t *testing.T, addr, name string, more func(batches int) bool) {
	c, err := resptest.Dial(addr, 2)
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	for batches := 0; ; {
		reply := c.Do("XREADGROUP", "GROUP", "workers", name, "COUNT", "7", "CLAIM", "50", "BLOCK", "50", "STREAMS", "jobs", ">")
		var entries []resptest.Value
		if len(reply.Elems) == 1 {
			entries = reply.Elems[0].Elems[1].Elems
			batches++
		}
		if !more(batches) {
			return
		}
		for _, e := range entries {
			ack := c.Do("XACK", "jobs", "workers", e.Elems[0].Text)
			j.Lock()
			j.done[e.Elems[1].Elems[1].Text]++
			if ack.Text == "1" {
				j.acked++
			}
			if e.Elems[3].Text != "0" {
				j.again++
			}
			j.Unlock()
		}
	}
}

// finished reports whether n jobs are done and acknowledged.
func (j *jobs) finished(n int) bool {
	j.Lock()
	defer j.Unlock()
	return j.acked >= n
}

// TestWorkersTakeOverFromTheDead has workers of a group die, and the server too,
// with jobs in their hands. The others finish all of them.
func TestWorkersTakeOverFromTheDead(t *testing.T) {
	const n = 300
	settings := []string{"--appendonly", "yes"}
	s := resptest.Start(t, settings...)
	p := dial(t, s.Addr(), 2)
	p.Do("XGROUP", "CREATE", "jobs", "workers", "$", "MKSTREAM")
	j := &jobs{done: map[string]int{}}
	var wg sync.WaitGroup
	worker := func(s *resptest.Server, name string, more func(batches int) bool) {
		wg.Go(func() { j.work(t, s.Addr(), name, more) })
	}
	worker(s, "dies at once", func(batches int) bool { return batches == 0 })
	worker(s, "dies soon", func(batches int) bool { return batches < 4 })
	worker(s, "lives", func(int) bool { return !j.finished(n / 3) })
	for i := range n / 2 {
		p.Do("XADD", "jobs", "*", "job", fmt.Sprint(i))
	}
	wg.Wait()
	if pending := p.Do("XPENDING", "jobs", "workers"); pending.Elems[0].Text == "0" {
		t.Fatal("nothing is left in the hands of the dead")
	}
	before := p.Do("XPENDING", "jobs", "workers", "-", "+", strconv.Itoa(n))
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	s = resptest.Start(t, append(settings, "--dir", s.Dir)...)
	p = dial(t, s.Addr(), 2)
	after := p.Do("XPENDING", "jobs", "workers", "-", "+", strconv.Itoa(n))
	for _, v := range []resptest.Value{before, after} {
		for _, e := range v.Elems {
			e.Elems[2].Text = "" // for how long
		}
	}
	if before.String() != after.String() {
		t.Fatalf("pending before %s, after the start %s", before, after)
	}
	for i := range 3 {
		worker(s, fmt.Sprint("new ", i), func(int) bool { return !j.finished(n) })
	}
	for i := n / 2; i < n; i++ {
		p.Do("XADD", "jobs", "*", "job", fmt.Sprint(i))
	}
	wg.Wait()
	if pending := p.Do("XPENDING", "jobs", "workers"); pending.Elems[0].Text != "0" {
		t.Fatalf("left: %s", pending)
	}
	if len(j.done) != n || j.acked != n || j.again < len(before.Elems) {
		t.Fatalf("%d jobs done, %d acknowledged, %d delivered again; %d were pending at the stop", len(j.done), j.acked, j.again, len(before.Elems))
	}
}
