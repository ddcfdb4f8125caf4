package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
)

// sample is one peer in one window.
type sample struct {
	OpsPerSecond float64 `json:"ops_per_second"`
	P50          float64 `json:"p50_us"`
	P99          float64 `json:"p99_us"`
	P999         float64 `json:"p999_us"`
	Max          float64 `json:"max_us"`
	ServerCores  float64 `json:"server_cores"` // processor time per second; negative: unknown
	ServerMicros float64 `json:"server_us_per_op"`
	LoadCores    float64 `json:"load_cores"` // the same of this program
	Ops          uint64  `json:"ops"`
	Misses       uint64  `json:"misses,omitempty"`

	LocalPerSecond float64 `json:"local_per_second,omitempty"` // of ops, answered by clients' own copies
	Died           uint64  `json:"copies_died,omitempty"`      // copies that the server declared dead
	Unsent         uint64  `json:"unsent,omitempty"`           // open loop: due, and not sent by the end

	Errors     uint64 `json:"errors,omitempty"`
	FirstError string `json:"first_error,omitempty"`
}

func (s *sample) remark() string {
	if s.Errors > 0 {
		return fmt.Sprintf(", %d errors: %s", s.Errors, s.FirstError)
	}
	if s.Unsent > 0 {
		return fmt.Sprintf(", %.1f%% could not be sent", 100*float64(s.Unsent)/float64(s.Ops))
	}
	if s.LocalPerSecond > 0 {
		return fmt.Sprintf(", %.1f%% answered by copies", 100*s.LocalPerSecond/s.OpsPerSecond)
	}
	if s.Misses > 0 {
		return fmt.Sprintf(", %.1f%% found nothing", 100*float64(s.Misses)/float64(s.Ops))
	}
	return ""
}

// load is what one window asks a server for.
type load struct {
	w           *workload
	m           *material
	keys        *sampler
	pipeline    int
	connections int
	rate        float64 // commands a second; 0: closed loop
}

// measure runs one window against one peer.
func measure(ctx context.Context, o *options, l load, p *peer.Server, round uint64) (sample, error) {
	var s sample
	var socks []net.Conn
	defer func() {
		for _, c := range socks {
			c.Close()
		}
	}()
	// A goroutine each needs statistics each; the threads of the other engine
	// share theirs among their connections.
	engine, workers := drive, min(o.threads, l.connections)
	if o.plainNet {
		engine, workers = driveNet, l.connections
	}
	all := make([]*stats, workers)
	groups := make([][]*conn, workers)
	sockets := make([][]net.Conn, workers)
	for i := range all {
		all[i] = &stats{}
	}
	d := net.Dialer{Timeout: stall}
	for i := range l.connections {
		nc, err := d.DialContext(ctx, "tcp", p.Addr)
		if err != nil {
			return s, err
		}
		socks = append(socks, nc)
		g := i % workers
		c := newConn(l.w, l.m, l.pipeline, window{}, all[g], newSource(l.keys, o.seed+uint64(i)<<32+round<<48))
		if err := o.greet(c, nc); err != nil {
			return s, err
		}
		groups[g] = append(groups[g], c)
		sockets[g] = append(sockets[g], nc)
	}
	from := clock() + int64(o.warmup)
	win := window{from: from, until: from + int64(o.duration)}
	errs := make([]error, workers+1)
	var wg sync.WaitGroup
	wg.Go(func() { errs[workers] = usage(p, win, &s) })
	for g := range groups {
		for _, c := range groups[g] {
			c.win = win
		}
		var at *pace
		if l.rate > 0 {
			share := float64(len(groups[g])) / float64(l.connections)
			at = newPace(clock(), share*l.rate/float64(l.pipeline), o.poisson, o.seed+round<<32+uint64(g))
		}
		wg.Go(func() {
			if !o.plainNet {
				onThread()
				if n := len(o.clientCPUs); n > 0 {
					if errs[g] = peer.PinThread(o.clientCPUs[g%n : g%n+1]); errs[g] != nil {
						return
					}
				}
			}
			errs[g] = engine(sockets[g], groups[g], at)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return s, err
	}
	total := all[0]
	for _, st := range all[1:] {
		total.merge(st)
	}
	if total.hist.n == 0 {
		return s, fmt.Errorf("no reply in %v", o.duration)
	}
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	s.Ops = total.hist.n + total.local - total.unsent
	s.LocalPerSecond = float64(total.local) / o.duration.Seconds()
	s.Died, s.Unsent = total.died, total.unsent
	s.OpsPerSecond = float64(s.Ops) / o.duration.Seconds()
	s.P50 = us(total.hist.quantile(.5))
	s.P99 = us(total.hist.quantile(.99))
	s.P999 = us(total.hist.quantile(.999))
	s.Max = us(time.Duration(total.hist.max))
	if s.ServerMicros = -1; s.ServerCores >= 0 {
		s.ServerMicros = s.ServerCores * 1e6 / s.OpsPerSecond
	}
	s.Misses, s.Errors, s.FirstError = total.misses, total.errors, total.firstErr
	return s, nil
}

// usage measures the processor time that the server and this program take in
// the window.
func usage(p *peer.Server, win window, s *sample) error {
	sleepUntil(win.from)
	at, server := clock(), p.CPU()
	own, err := peer.ProcessCPU(os.Getpid())
	sleepUntil(win.until)
	seconds := float64(clock()-at) / 1e9
	s.ServerCores, s.LoadCores = -1, -1
	if end := p.CPU(); server >= 0 && end >= 0 {
		s.ServerCores = (end - server) / seconds
	}
	if err != nil { // no /proc
		return nil
	}
	end, err := peer.ProcessCPU(os.Getpid())
	s.LoadCores = (end - own) / seconds
	return err
}

func sleepUntil(ns int64) { time.Sleep(time.Duration(ns - clock())) }

// greet switches a fresh connection to what the options ask for.
func (o *options) greet(c *conn, nc net.Conn) error {
	if o.resp == 3 {
		if err := c.greet(nc, "HELLO", "3"); err != nil {
			return err
		}
	}
	if words := trackings[o.tracking]; words != nil {
		c.copies = make([]uint64, (o.keys+63)/64)
		return c.greet(nc, words...)
	}
	return nil
}
