package replica

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
	"github.com/nearcache/nearcache/resp/client"
)

// bench is one run.
type bench struct {
	ctx      context.Context
	out      io.Writer
	at       peer.Place
	keys     int
	value    int
	clients  int
	pipeline int
	seconds  time.Duration
}

// Run carries out the command `nearcache bench replica`.
func Run(args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("bench replica", flag.ContinueOnError)
	fs.SetOutput(stderr)
	b := &bench{ctx: context.Background(), out: stdout}
	fs.IntVar(&b.keys, "keys", 100_000, "keys at the source before a replica comes")
	fs.IntVar(&b.value, "value", 100, "bytes of a value")
	fs.IntVar(&b.clients, "clients", 4, "clients that write")
	fs.IntVar(&b.pipeline, "pipeline", 16, "writes that a client sends at once")
	fs.DurationVar(&b.seconds, "time", 5*time.Second, "how long each measurement takes")
	var specs peer.Specs
	specs.Flags(fs)
	if err := fs.Parse(args); err != nil {
		return err
	}
	started, err := specs.Started()
	if err != nil {
		return err
	}
	if b.at, err = peer.NewPlace(); err != nil {
		return err
	}
	defer b.at.Remove()
	for _, spec := range started {
		if err := b.measure(spec); err != nil {
			return fmt.Errorf("%s: %w", spec.Name, err)
		}
	}
	return nil
}

func (b *bench) measure(spec peer.Spec) error {
	if spec.Own {
		spec = spec.With("--enable-replicas", "yes", "--enable-outgoing-connections", "yes")
	}
	source, err := b.at.Open(b.ctx, spec)
	if err != nil {
		return err
	}
	defer source.Close()
	_, _ = source.Ctl.Do("CONFIG", "SET", "repl-diskless-sync-delay", "0") // who does not know it does not wait
	if err := b.fill(source); err != nil {
		return err
	}
	most, err := b.load(source, 0, b.seconds, nil)
	if err != nil {
		return err
	}
	replica, err := b.at.Open(b.ctx, spec)
	if err != nil {
		return err
	}
	defer replica.Close()

	half := most / 2
	var took time.Duration
	if _, err = b.load(source, half, 0, func() (err error) {
		took, err = b.copy(source, replica)
		return err
	}); err != nil {
		return err
	}
	fmt.Fprintf(b.out, "copy  %-10s %d keys in %v, while clients wrote %.0f/s, half of what the source took alone\n", spec.Name, b.keys, took.Round(time.Millisecond), half)

	var lags []time.Duration
	wrote, err := b.load(source, half, 0, func() (err error) {
		lags, err = b.lag(source, replica)
		return err
	})
	if err != nil {
		return err
	}
	slices.Sort(lags)
	at := func(share float64) time.Duration {
		return lags[min(int(share*float64(len(lags))), len(lags)-1)].Round(10 * time.Microsecond)
	}
	info := source.Info()
	fmt.Fprintf(b.out, "lag   %-10s %d writes watched beside %.0f/s: p50 %v, p99 %v, longest %v; %s full copies\n",
		spec.Name, len(lags), wrote, at(0.5), at(0.99), at(1), info["sync_full"])
	return nil
}

func (b *bench) fill(p *peer.Server) error {
	v := strings.Repeat("v", b.value)
	return p.Fill(b.keys, func(i int) []any { return []any{"SET", "key:" + strconv.Itoa(i), v} })
}

// load has clients write at a rate, 0 for as fast as they can, for a time or until during
// returns. It returns the writes a second.
func (b *bench) load(p *peer.Server, rate float64, d time.Duration, during func() error) (float64, error) {
	var stop atomic.Bool
	var n atomic.Int64
	errs := make([]error, b.clients)
	var wg sync.WaitGroup
	start := time.Now()
	every := time.Duration(0)
	if rate > 0 {
		every = time.Duration(float64(b.clients*b.pipeline) / rate * float64(time.Second))
	}
	for i := range b.clients {
		wg.Go(func() {
			c, err := client.Dial(b.ctx, p.Addr, client.Options{Proto: 2})
			if err != nil {
				errs[i] = err
				return
			}
			defer c.Close()
			rnd := rand.New(rand.NewPCG(uint64(i), 1))
			v := strings.Repeat("w", b.value)
			for due := time.Now(); !stop.Load(); due = due.Add(every) {
				if wait := time.Until(due); every > 0 && wait > 0 {
					time.Sleep(wait)
				}
				pipe := c.Pipeline()
				for range b.pipeline {
					pipe.Add("SET", "key:"+strconv.Itoa(rnd.IntN(b.keys)), v)
				}
				if _, errs[i] = pipe.Run(); errs[i] != nil {
					return
				}
				n.Add(int64(b.pipeline))
			}
		})
	}
	var err error
	if during != nil {
		err = during()
	} else {
		time.Sleep(d)
	}
	stop.Store(true)
	wg.Wait()
	return float64(n.Load()) / time.Since(start).Seconds(), errors.Join(append(errs, err)...)
}

// longest is how long is waited for a replica.
const longest = time.Minute

// copy has a server follow another, and waits until it has all keys.
func (b *bench) copy(source, replica *peer.Server) (time.Duration, error) {
	host, port, err := net.SplitHostPort(source.Addr)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if _, err := replica.Ctl.Do("REPLICAOF", host, port); err != nil {
		return 0, err
	}
	for time.Since(start) < longest {
		if replica.Info()["master_link_status"] == "up" {
			return time.Since(start), nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return 0, errors.New("the replica does not come up")
}

// lag writes a key again and again, and notes when the replica tells of it.
func (b *bench) lag(source, replica *peer.Server) (lags []time.Duration, err error) {
	const key = "watched"
	var told time.Time
	w, err := client.Dial(b.ctx, replica.Addr, client.Options{OnPush: func(client.Value) { told = time.Now() }})
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if _, err := w.Do("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", key); err != nil {
		return nil, err
	}
	// A replica that tells nothing is not waited for, for ever.
	timer := time.AfterFunc(b.seconds+longest, func() { _ = w.Close() })
	defer timer.Stop()
	c, err := client.Dial(b.ctx, source.Addr, client.Options{Proto: 2})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	rnd := rand.New(rand.NewPCG(1, 2))
	for start := time.Now(); time.Since(start) < b.seconds || len(lags) == 0; {
		told = time.Time{}
		sent := time.Now()
		if _, err := c.Do("SET", key, strconv.Itoa(len(lags))); err != nil {
			return nil, err
		}
		if err := w.Await(func() bool { return !told.IsZero() }); err != nil {
			return nil, err
		}
		lags = append(lags, told.Sub(sent))
		time.Sleep(time.Duration(rnd.Int64N(int64(4 * time.Millisecond))))
	}
	return lags, nil
}
