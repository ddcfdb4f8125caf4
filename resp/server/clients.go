package server

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/session"
)

// clientMemory is what the buffers of clients take, measured a few times a second
// and counted to maxmemory; maxmemory-clients bounds it.
type clientMemory struct {
	bytes   atomic.Int64
	shared  atomic.Int64 // of values that are sent from where they lie; those that are keys' are not in bytes
	sole    atomic.Int64 // of these, those that are no key's any more
	evicted atomic.Int64 // clients closed over maxmemory-clients
	peaks   peaks
}

// peaks are the largest buffers of a client in each of the last seconds.
type peaks struct {
	mu struct {
		sync.Mutex
		slots [8]struct{ second, in, out int64 }
	}
}

func (p *peaks) saw(ms, in, out int64) {
	second := ms / 1000
	p.mu.Lock()
	defer p.mu.Unlock()
	x := &p.mu.slots[uint64(second)%uint64(len(p.mu.slots))]
	if x.second != second {
		x.second, x.in, x.out = second, 0, 0
	}
	x.in, x.out = max(x.in, in), max(x.out, out)
}

func (p *peaks) recent(ms int64) (in, out int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, x := range &p.mu.slots {
		if x.second > ms/1000-int64(len(p.mu.slots)) {
			in, out = max(in, x.in), max(out, x.out)
		}
	}
	return in, out
}

// minClientLimit is the least that maxmemory-clients may be, so that one can still
// talk to the server and correct it. It is Redis' own.
const minClientLimit = 128 << 10

// measureClients sums up the memory of clients, and closes the largest where that
// is more than maxmemory-clients allows.
func (s *Server) measureClients() {
	limit := s.clientLimit()
	type client struct {
		s     *session.Session
		bytes int64
	}
	var sum, bounded, in, out, shared, sole int64
	var l []client
	s.env.Clients.Each(func(c *session.Session) {
		n := c.Memory()
		sum += n
		if all, own := c.Shared(); all > 0 {
			shared += all
			sole += own
			c.Wake() // which counts anew what is its own
		}
		in, out = max(in, int64(c.Queried.Load())), max(out, int64(c.PendingLen()+c.UnsentLen()))
		if limit > 0 && !c.NoEvict.Load() && !c.Replica.Load() && !c.Killed() {
			bounded += n
			l = append(l, client{c, n})
		}
	})
	if limit > 0 && bounded >= limit {
		slices.SortFunc(l, func(a, b client) int { return cmp.Compare(b.bytes, a.bytes) })
		for _, c := range l {
			if bounded < limit {
				break
			}
			s.cfg.Logger().Info("closing a client over maxmemory-clients", "client", c.s.Addr, "bytes", c.bytes)
			c.s.Kill()
			s.clients.evicted.Add(1)
			bounded -= c.bytes
			sum -= c.bytes
		}
	}
	s.clients.bytes.Store(sum)
	s.clients.shared.Store(shared)
	s.clients.sole.Store(sole)
	s.clients.peaks.saw(s.ks.Now(), in, out)
}

// clientLimit is maxmemory-clients in bytes, 0 for none.
func (s *Server) clientLimit() int64 {
	n := s.cfg.clientMemory.Int()
	if n < 0 { // percent of maxmemory
		n = int64(float64(s.ks.MaxMemory()) * float64(-n) / 100)
		if n == 0 {
			return 0
		}
	}
	if n > 0 {
		n = max(n, minClientLimit)
	}
	return n
}

// parseClientMemory reads bytes, or a percentage, which is kept as a negative
// number.
func parseClientMemory(words []string, _ string) (int64, string, error) {
	if len(words) != 1 {
		return 0, "", errors.New("wrong number of arguments")
	}
	w := words[0]
	if digits, ok := strings.CutSuffix(w, "%"); ok && digits != "" {
		n, ok := resp.ParseInt([]byte(digits))
		switch {
		case !ok || n < 0:
		case n > 100:
			return 0, "", errors.New("percentage argument must be less or equal to 100")
		case n == 0:
			return 0, "0", nil
		default:
			return -n, w, nil
		}
	} else if n, ok := ParseMemory(w); ok {
		return n, strconv.FormatInt(n, 10), nil
	}
	return 0, "", errors.New("argument must be a memory or percent value")
}
