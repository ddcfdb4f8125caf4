package tracking_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/resp/session"
	"github.com/nearcache/nearcache/resp/tracking"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/str"
)

// world is a keyspace with a tracking table, without a server around it.
type world struct {
	testing.TB
	ks      *store.Keyspace
	clients *session.Registry
	table   *tracking.Table
	last    uint64
}

func newWorld(t testing.TB) *world {
	w := &world{TB: t, ks: store.New(store.Options{}), clients: &session.Registry{}}
	w.table = tracking.New(w.clients)
	w.ks.Observe(w.table)
	return w
}

// peer is a client whose bytes are read from its session, without a network.
type peer struct {
	*world
	s  *session.Session
	tx store.Tx
}

func (w *world) peer(proto int) *peer {
	w.last++
	p := &peer{world: w, s: session.New(w.last, nil, nil, nil, nil)}
	p.s.SetProto(proto)
	w.clients.Add(p.s)
	return p
}

func (p *peer) on(o tracking.Options) {
	p.Helper()
	if err := p.table.On(p.s, o); err != nil {
		p.Fatal(err)
	}
}

// close ends the session in the order of the server.
func (p *peer) close() {
	p.s.Close()
	p.clients.Remove(p.s)
	p.table.Close(p.s)
}

// get reads keys as a command does: all under the locks of their shards.
func (p *peer) get(keys ...string) {
	p.begin(keys)
	p.s.MergePushes()
	for _, k := range keys {
		p.reply(k)
	}
	p.register(keys)
	p.tx.End()
	p.table.EndCaching(p.s)
}

func (p *peer) begin(keys []string) {
	p.tx.Begin(p.ks, 0, p.s.ID)
	var set store.LockSet
	for _, k := range keys {
		set.Add([]byte(k))
	}
	p.tx.Lock(&set)
}

func (p *peer) value(key string) string {
	if e := p.tx.Get([]byte(key)); e != nil {
		return string(e.Value().(*str.Value).B)
	}
	return ""
}

// reply writes key=value as the answer to a look-up.
func (p *peer) reply(key string) { p.s.Out.Status(key + "=" + p.value(key)) }

func (p *peer) register(keys []string) {
	if p.s.Tracked.Load() {
		p.table.Read(p.s, func(f func([]byte)) {
			for _, k := range keys {
				f([]byte(k))
			}
		})
	}
}

// set writes keys in one commit.
func (p *peer) set(value string, keys ...string) {
	p.begin(keys)
	for _, k := range keys {
		e := p.tx.Put([]byte(k), str.New([]byte(value)), false)
		p.tx.Changed(e, store.ClassString, "set")
	}
	p.tx.End()
}

func (p *peer) flush() {
	p.tx.Begin(p.ks, 0, p.s.ID)
	var set store.LockSet
	set.AddAll()
	p.tx.Lock(&set)
	p.tx.Flush(-1)
	p.tx.End()
}

// stream takes all that the client would have received by now.
func (p *peer) stream() []client.Value {
	p.Helper()
	p.s.MergePushes()
	b := p.s.Out.Bytes()
	var l []client.Value
	for len(b) > 0 {
		v, n, err := client.Parse(b)
		if err != nil || n == 0 {
			p.Fatalf("broken stream %q: %v", b, err)
		}
		l = append(l, v)
		b = b[n:]
	}
	p.s.Out.Reset()
	return l
}

// pushes renders the invalidations among what has come, sorted within each.
func (p *peer) pushes() string {
	p.Helper()
	var l []string
	for _, v := range p.stream() {
		if v.Kind != client.Push && v.Kind != client.Array {
			continue
		}
		last := v.Elems[len(v.Elems)-1]
		var keys []string
		for _, k := range last.Elems {
			keys = append(keys, k.Str)
		}
		slices.Sort(keys)
		text := strings.Join(keys, ",")
		switch {
		case v.Elems[0].Str == "tracking-redir-broken":
			text = fmt.Sprintf("broken %d", last.Int)
		case last.IsNull():
			text = "all"
		}
		l = append(l, text)
	}
	return strings.Join(l, " ")
}
