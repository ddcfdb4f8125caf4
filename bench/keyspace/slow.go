package keyspace

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
	"github.com/nearcache/nearcache/resp/client"
)

// slowRow is what happens while many clients ask for much and read nothing.
type slowRow struct {
	Server  string  `json:"server"`
	Clients int     `json:"clients"` // that read nothing
	Cut     int     `json:"cut"`     // of them, by their limit
	Seconds float64 `json:"seconds"` // from when they asked until the last was cut
	Calm    latency `json:"calm"`    // of reads of others in the two seconds before
	Storm   latency `json:"storm"`   // of reads of others until then
	Reads   int     `json:"reads"`   // in the storm
}

const (
	slowLimit = "normal 1mb 0 0"
	slowValue = 64 << 10
	// slowGets are far more than the limit and what the sockets hold.
	slowGets  = 160
	slowCalm  = 2 * time.Second
	slowAwait = 30 * time.Second
)

func (b *bench) measureSlow(r *report) error {
	for _, spec := range b.specs {
		row, err := b.slowServer(spec)
		if err != nil {
			return fmt.Errorf("%s: %w", spec.Name, err)
		}
		r.Slow = append(r.Slow, row)
	}
	return nil
}

func (b *bench) slowServer(spec peer.Spec) (row slowRow, err error) {
	s, err := b.at.Open(b, spec)
	if err != nil {
		return row, err
	}
	defer s.Close()
	row = slowRow{Server: spec.Name, Clients: b.slow}
	for _, c := range [][]any{
		{"FLUSHALL"}, {"CONFIG", "SET", "client-output-buffer-limit", slowLimit}, {"SET", "large", make([]byte, slowValue)},
	} {
		if _, err := s.Ctl.Do(c...); err != nil {
			return row, err
		}
	}
	value := make([]byte, 64)
	if err := fill(s, others, func(p *client.Pipeline, i int) { p.Add("SET", "other:"+strconv.Itoa(i), value) }); err != nil {
		return row, err
	}
	before, err := cut(s)
	if err != nil {
		return row, err
	}
	slow := make([]net.Conn, b.slow)
	for i := range slow {
		c, err := net.Dial("tcp", s.Addr)
		if err != nil {
			return row, err
		}
		defer c.Close()
		_ = c.(*net.TCPConn).SetReadBuffer(4096)
		slow[i] = c
	}
	first := time.Now().Add(slowCalm + time.Second)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	reads := make([][]read, b.readers)
	errs := make([]error, b.readers)
	for i := range reads {
		wg.Go(func() { reads[i], errs[i] = b.reader(s.Addr, uint64(i), first.Add(-slowCalm), stop) })
	}
	time.Sleep(time.Until(first))
	ask := []byte(strings.Repeat("*2\r\n$3\r\nGET\r\n$5\r\nlarge\r\n", slowGets))
	for _, c := range slow {
		if _, err = c.Write(ask); err != nil {
			break
		}
	}
	for err == nil && row.Cut < b.slow && time.Since(first) < slowAwait && b.Err() == nil {
		time.Sleep(10 * time.Millisecond)
		row.Cut, err = cut(s)
		row.Cut -= before
	}
	end := time.Now()
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
	row.Seconds = end.Sub(first).Seconds()
	var calm, storm []time.Duration
	for _, l := range reads {
		for _, x := range l {
			if x.at.Before(first) {
				calm = append(calm, x.took)
			} else if x.at.Before(end) {
				storm = append(storm, x.took)
			}
		}
	}
	row.Calm, row.Storm, row.Reads = latencyOf(calm), latencyOf(storm), len(storm)
	fmt.Fprintf(b.progress, "%+v\n", row)
	return row, b.Err()
}

// cut is how many clients the server has cut for what it had for them.
func cut(s *peer.Server) (int, error) {
	v, err := s.Ctl.Do("INFO", "stats")
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(v.Str, "client_output_buffer_limit_disconnections:")
	if !ok {
		return 0, fmt.Errorf("INFO does not tell how many clients were cut")
	}
	line, _, _ := strings.Cut(rest, "\r")
	return strconv.Atoi(line)
}

func (r *report) writeSlow(w io.Writer) {
	if len(r.Slow) == 0 {
		return
	}
	fmt.Fprintf(w, "\n## Clients that read nothing\n\nAll ask at once for %d values of %d kB; %q is the limit. Reads of others meanwhile, at a steady rate; ms, with those of the two seconds before in brackets.\n\n",
		slowGets, slowValue>>10, slowLimit)
	fmt.Fprint(w, "| server | clients | cut | seconds until then | reads | p50 | p99 | p99.9 | worst |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, x := range r.Slow {
		c, s := x.Calm, x.Storm
		fmt.Fprintf(w, "| %s | %d | %d | %.2f | %d | %.2f (%.2f) | %.2f (%.2f) | %.2f (%.2f) | %.2f (%.2f) |\n", x.Server, x.Clients, x.Cut, x.Seconds, x.Reads,
			s.P50, c.P50, s.P99, c.P99, s.P999, c.P999, s.Max, c.Max)
	}
}
