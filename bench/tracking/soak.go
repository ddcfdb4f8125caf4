package tracking

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/resp/client"
)

const soakKeys = 2048

// soak runs writers and readers until they have done b.ops operations. A value
// is a number that grows with every write of its key; each key has one writer.
type soak struct {
	*bench
	acked     [soakKeys]atomic.Int64
	ops       atomic.Int64
	barriers  atomic.Int64
	pushes    atomic.Int64
	reconnect atomic.Int64
	stale     atomic.Int64
	first     atomic.Pointer[string]
	stop      atomic.Bool
	failed    atomic.Pointer[error]
}

func soakKey(i int) string { return "soak:" + strconv.Itoa(i) }

func (b *bench) soak() error {
	s := &soak{bench: b}
	var undo []func()
	defer func() {
		for _, f := range undo {
			f()
		}
	}()
	if _, err := b.ctl.Do("FLUSHALL"); err != nil {
		return err
	}
	used, err := b.info("used_memory_dataset")
	if err != nil {
		used, err = b.info("used_memory")
	}
	if err != nil {
		return err
	}
	for _, kv := range [][2]string{
		{"tracking-table-max-keys", "1000"}, // so that the limit takes part
		{"maxmemory-policy", "allkeys-random"},
		{"maxmemory", strconv.FormatInt(used+2<<20, 10)},
	} {
		f, err := b.set(kv[0], kv[1])
		if err != nil {
			return err
		}
		undo = append(undo, f)
	}
	killer, err := b.dial(nil)
	if err != nil {
		return err
	}
	defer killer.Close()
	writers := b.clients / 4
	var wg sync.WaitGroup
	defer func() { // before the settings are undone
		s.stop.Store(true)
		wg.Wait()
	}()
	for n := range b.clients {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(b.seed, uint64(n)))
			var err error
			if n < writers {
				err = s.write(rng, n, writers)
			} else {
				err = s.read(rng, n)
			}
			if err != nil && s.ctx.Err() == nil {
				s.failed.CompareAndSwap(nil, &err)
				s.stop.Store(true)
			}
		})
	}
	rng := rand.New(rand.NewPCG(b.seed, 1<<32))
	for shown := time.Now(); s.ops.Load() < b.ops && !s.stop.Load() && b.ctx.Err() == nil; {
		time.Sleep(20 * time.Millisecond)
		if rng.IntN(50) == 0 {
			if _, err := killer.Do("FLUSHALL"); err != nil {
				return err
			}
			s.ops.Add(1)
		}
		if rng.IntN(5) == 0 {
			_, _ = killer.Do("CLIENT", "KILL", "ID", s.someReader(killer, rng))
		}
		if time.Since(shown) > 2*time.Second {
			shown = time.Now()
			fmt.Fprintf(b.progress, "\r%3.0f%%  %d operations, %d barriers, %d pushes, %d stale ", 100*float64(s.ops.Load())/float64(b.ops), s.ops.Load(), s.barriers.Load(), s.pushes.Load(), s.stale.Load())
		}
	}
	s.stop.Store(true)
	wg.Wait()
	fmt.Fprintln(b.progress)
	if err := s.failed.Load(); err != nil {
		return *err
	}
	b.figure("soak", fmt.Sprintf("stale copies behind a barrier: %d clients, %d operations, %d barriers, %d pushes, %d reconnections", b.clients, s.ops.Load(), s.barriers.Load(), s.pushes.Load(), s.reconnect.Load()),
		"0", s.stale.Load() > 0, "%d", s.stale.Load())
	if f := s.first.Load(); f != nil {
		b.figure("soak", "the first of them", "", false, "%s", *f)
	}
	return nil
}

// someReader is the id of a reader's connection.
func (s *soak) someReader(c *client.Conn, rng *rand.Rand) string {
	v, err := c.Do("CLIENT", "LIST")
	if err != nil {
		return "0"
	}
	var ids []string
	for line := range strings.SplitSeq(v.Str, "\n") {
		if strings.Contains(line, " name=reader ") {
			id, _, _ := strings.Cut(strings.TrimPrefix(line, "id="), " ")
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return "0"
	}
	return ids[rng.IntN(len(ids))]
}

func (s *soak) write(rng *rand.Rand, n, writers int) error {
	c, err := s.dial(nil)
	if err != nil {
		return err
	}
	defer c.Close()
	for v := int64(1); !s.stop.Load(); v++ {
		p := c.Pipeline()
		var wrote []int
		for range 1 + rng.IntN(8) {
			i := n + writers*rng.IntN(soakKeys/writers)
			k := soakKey(i)
			switch rng.IntN(8) {
			case 0:
				p.Add("SET", k, v, "PX", 1+rng.IntN(20))
			case 1:
				p.Add("MULTI")
				p.Add("DEL", k)
				p.Add("SET", k, v)
				p.Add("EXPIRE", k, 100)
				p.Add("EXEC")
			case 2:
				p.Add("GETSET", k, v)
			case 3:
				p.Add("DEL", k)
			default:
				p.Add("SET", k, v)
			}
			wrote = append(wrote, i)
		}
		sent := int64(p.Len())
		l, err := p.Run()
		if err != nil {
			return err
		}
		for _, r := range l {
			if err := r.Err(); err != nil && !strings.HasPrefix(err.Error(), "OOM") && !strings.HasPrefix(err.Error(), "EXECABORT") {
				return err
			}
		}
		// A write refused for want of memory leaves the older value, which is true.
		refused := false
		for _, r := range l {
			refused = refused || r.Err() != nil
		}
		if !refused {
			for _, i := range wrote {
				s.acked[i].Store(v)
			}
		}
		s.ops.Add(sent)
	}
	return nil
}

// read keeps copies, and asks them behind barriers. One reader in eight is slow.
func (s *soak) read(rng *rand.Rand, n int) error {
	held := map[string]int64{}
	var c *client.Conn
	defer func() {
		if c != nil {
			c.Close()
		}
	}()
	for !s.stop.Load() {
		if c == nil {
			clear(held) // the connection's end is a flush
			var err error
			c, err = client.Dial(s.ctx, s.addr, client.Options{Name: "reader", OnPush: func(v client.Value) {
				s.pushes.Add(1)
				if v.Elems[1].IsNull() {
					clear(held)
					return
				}
				for _, k := range v.Elems[1].Elems {
					delete(held, k.Str)
				}
			}})
			if err == nil {
				if _, err = c.Do("CLIENT", "TRACKING", "ON"); err != nil {
					c.Close()
				}
			}
			if err != nil {
				c = nil
				if s.reconnect.Add(1) > 1e6 {
					return err
				}
				continue
			}
		}
		if err := s.round(c, rng, n, held); err != nil {
			if _, ours := err.(client.Error); ours {
				return err
			}
			c.Close() // killed
			c = nil
			s.reconnect.Add(1)
		}
	}
	return nil
}

func (s *soak) round(c *client.Conn, rng *rand.Rand, n int, held map[string]int64) error {
	for range 1 + rng.IntN(4) {
		p := c.Pipeline()
		asked := make([]string, 1+rng.IntN(16))
		multi := rng.IntN(8) == 0
		if multi {
			p.Add("MULTI")
		}
		for i := range asked {
			asked[i] = soakKey(rng.IntN(soakKeys))
			p.Add("GET", asked[i])
		}
		if multi {
			p.Add("EXEC")
		}
		if n%8 == 7 {
			time.Sleep(time.Duration(rng.IntN(2000)) * time.Microsecond)
		}
		var wrong error
		keep := func(i int, v client.Value) {
			if err := v.Err(); err != nil {
				wrong = err
			} else if x, err := strconv.ParseInt(v.Str, 10, 64); err == nil {
				held[asked[i]] = x
			}
		}
		err := p.Each(func(i int, v client.Value) {
			switch {
			case !multi:
				keep(i, v)
			case i == len(asked)+1 && len(v.Elems) != len(asked):
				wrong = fmt.Errorf("EXEC of %d commands has %d replies", len(asked), len(v.Elems))
			case i == len(asked)+1:
				for j, e := range v.Elems {
					keep(j, e)
				}
			}
		})
		if err != nil {
			return err
		}
		if wrong != nil {
			return client.Error(wrong.Error())
		}
		s.ops.Add(int64(len(asked)))
	}
	acked := make(map[string]int64, len(held))
	for k := range held {
		i, _ := strconv.Atoi(k[len("soak:"):])
		acked[k] = s.acked[i].Load()
	}
	if _, err := c.Do("PING"); err != nil {
		return err
	}
	s.barriers.Add(1)
	for k, v := range held {
		if v < acked[k] {
			s.stale.Add(1)
			text := fmt.Sprintf("%s = %d, acknowledged was %d", k, v, acked[k])
			s.first.CompareAndSwap(nil, &text)
		}
	}
	return nil
}
