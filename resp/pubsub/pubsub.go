package pubsub

import (
	"sync"
	"sync/atomic"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/session"
	"github.com/nearcache/nearcache/store/glob"
)

// Kind is a way to subscribe.
type Kind uint8

// The kinds of subscription.
const (
	Channel Kind = iota // SUBSCRIBE
	Pattern             // PSUBSCRIBE
	Shard               // SSUBSCRIBE
)

type subscribers map[*session.Session]struct{}

// Broker knows who is subscribed to what. The zero value is ready.
type Broker struct {
	listening atomic.Int64 // subscriptions to channels and patterns
	mu        struct {
		sync.Mutex
		by [3]map[string]subscribers
	}
}

// state is what a session is subscribed to, in order, guarded by the broker.
type state struct{ names [3][]string }

func stateOf(s *session.Session) *state {
	st, _ := s.PubSubState.(*state)
	if st == nil {
		st = &state{}
		s.PubSubState = st
	}
	return st
}

// Subscribe adds a subscription and returns how many the session has that
// count together (channels and patterns; shard channels on their own).
func (b *Broker) Subscribe(s *session.Session, k Kind, name string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.mu.by[k]
	if m == nil {
		m = map[string]subscribers{}
		b.mu.by[k] = m
	}
	if m[name] == nil {
		m[name] = subscribers{}
	}
	if _, ok := m[name][s]; !ok {
		m[name][s] = struct{}{}
		st := stateOf(s)
		st.names[k] = append(st.names[k], name)
		b.counted(s, k, 1)
	}
	return total(s, k)
}

// Unsubscribe removes a subscription and returns how many are left.
func (b *Broker) Unsubscribe(s *session.Session, k Kind, name string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unsubscribeLocked(s, k, name)
	return total(s, k)
}

func (b *Broker) unsubscribeLocked(s *session.Session, k Kind, name string) {
	subs := b.mu.by[k][name]
	if _, ok := subs[s]; !ok {
		return
	}
	delete(subs, s)
	if len(subs) == 0 {
		delete(b.mu.by[k], name)
	}
	st := stateOf(s)
	for i, n := range st.names[k] {
		if n == name {
			st.names[k] = append(st.names[k][:i], st.names[k][i+1:]...)
			break
		}
	}
	b.counted(s, k, -1)
}

// Names lists what the session is subscribed to, oldest first.
func (b *Broker) Names(s *session.Session, k Kind) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), stateOf(s).names[k]...)
}

// Drop ends all subscriptions of a session.
func (b *Broker) Drop(s *session.Session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	st, _ := s.PubSubState.(*state)
	if st == nil {
		return
	}
	for k := range st.names {
		for _, name := range st.names[k] {
			delete(b.mu.by[k][name], s)
			if len(b.mu.by[k][name]) == 0 {
				delete(b.mu.by[k], name)
			}
			b.counted(s, Kind(k), -1)
		}
		st.names[k] = nil
	}
}

// counted adds n to the subscriptions of that kind.
func (b *Broker) counted(s *session.Session, k Kind, n int32) {
	switch k {
	case Channel:
		s.Subs.Add(n)
	case Pattern:
		s.PSubs.Add(n)
	case Shard:
		s.SSubs.Add(n)
		return
	}
	b.listening.Add(int64(n))
}

// Listening reports whether anybody is subscribed to a channel or a pattern: if
// not, a message need not even be made.
func (b *Broker) Listening() bool { return b.listening.Load() > 0 }

func total(s *session.Session, k Kind) int {
	if k == Shard {
		return int(s.SSubs.Load())
	}
	return int(s.Subs.Load() + s.PSubs.Load())
}

// Publish sends a message to the subscribers of the channel (Channel: and of
// matching patterns) and returns how many there were.
func (b *Broker) Publish(k Kind, channel string, message []byte) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	if subs := b.mu.by[k][channel]; len(subs) > 0 {
		word := "message"
		if k == Shard {
			word = "smessage"
		}
		f := frames{build: func(w *resp.Writer) {
			w.Push(3)
			w.BulkString(word)
			w.BulkString(channel)
			w.Bulk(message)
		}}
		for s := range subs {
			f.push(s)
			n++
		}
	}
	if k != Channel {
		return n
	}
	for pattern, subs := range b.mu.by[Pattern] {
		if !glob.MatchString(pattern, channel) {
			continue
		}
		f := frames{build: func(w *resp.Writer) {
			w.Push(4)
			w.BulkString("pmessage")
			w.BulkString(pattern)
			w.BulkString(channel)
			w.Bulk(message)
		}}
		for s := range subs {
			f.push(s)
			n++
		}
	}
	return n
}

// frames renders a message once per protocol.
type frames struct {
	build func(*resp.Writer)
	done  [2][]byte
}

func (f *frames) push(s *session.Session) {
	for {
		proto := s.Proto.Load()
		if f.done[proto-2] == nil {
			var w resp.Writer
			w.SetProto(int(proto))
			f.build(&w)
			f.done[proto-2] = w.Bytes()
		}
		if s.PushIn(proto, f.done[proto-2]) {
			return
		}
	}
}

// Channels lists the channels (or shard channels) that have subscribers and
// match the glob; an empty pattern matches all.
func (b *Broker) Channels(k Kind, pattern string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var l []string
	for name := range b.mu.by[k] {
		if pattern == "" || glob.MatchString(pattern, name) {
			l = append(l, name)
		}
	}
	return l
}

// Subscribers counts the subscribers of a channel.
func (b *Broker) Subscribers(k Kind, name string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.mu.by[k][name])
}

// Len is the number of different names subscribed to.
func (b *Broker) Len(k Kind) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.mu.by[k])
}
