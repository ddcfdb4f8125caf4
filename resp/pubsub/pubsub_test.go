package pubsub

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/resp/session"
)

func newSession(t testing.TB, id uint64, proto int) *session.Session {
	t.Helper()
	s := session.New(id, nil, nil, nil, nil)
	s.SetProto(proto)
	return s
}

// received renders what has come for a session: "kind words|kind words".
func received(t testing.TB, s *session.Session) string {
	t.Helper()
	s.MergePushes()
	b := s.Out.Bytes()
	var l []string
	for len(b) > 0 {
		v, n, err := client.Parse(b)
		if err != nil || n == 0 {
			t.Fatalf("broken stream %q: %v", b, err)
		}
		b = b[n:]
		words := []string{string(v.Kind)}
		for _, e := range v.Elems {
			words = append(words, e.Str)
		}
		l = append(l, strings.Join(words, " "))
	}
	s.Out.Reset()
	return strings.Join(l, "|")
}

func TestMessagesReachSubscribers(t *testing.T) {
	var b Broker
	two, three := newSession(t, 1, 2), newSession(t, 2, 3)
	f := func(got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
	f(b.Subscribe(two, Channel, "c"), 1)
	f(b.Subscribe(two, Channel, "c"), 1)
	f(b.Subscribe(two, Pattern, "c*"), 2)
	f(b.Subscribe(two, Shard, "c"), 1)
	f(b.Subscribe(three, Pattern, "[cd]?"), 1)
	f(b.Publish(Channel, "c", []byte("m\r\n")), 2)
	f(b.Publish(Channel, "cx", nil), 2)
	f(b.Publish(Shard, "c", []byte("s")), 1)
	f(b.Publish(Channel, "none", []byte("m")), 0)
	f(received(t, two), "* message c m\r\n|* pmessage c* c m\r\n|* pmessage c* cx |* smessage c s")
	f(received(t, three), "> pmessage [cd]? cx ")
	f(b.Len(Channel), 1)
	f(b.Len(Pattern), 2)
	f(b.Subscribers(Channel, "c"), 1)
	f(strings.Join(b.Channels(Channel, "?"), " "), "c")
	f(strings.Join(b.Channels(Channel, "x*"), " "), "")
	f(b.Unsubscribe(two, Channel, "nothing"), 2)
	f(b.Unsubscribe(two, Channel, "c"), 1)
	f(b.Publish(Channel, "c", []byte("m")), 1)
	f(two.InPubSub(), true)
	b.Drop(two)
	f(two.InPubSub(), false)
	b.Drop(three)
	for k := range Kind(3) {
		f(b.Len(k), 0)
		f(len(b.Names(two, k)), 0)
	}
}

// TestAllSubscribersSeeOneOrder: two publishers at once, and everybody sees the
// same sequence.
func TestAllSubscribersSeeOneOrder(t *testing.T) {
	var b Broker
	subs := []*session.Session{newSession(t, 1, 3), newSession(t, 2, 3), newSession(t, 3, 2)}
	for _, s := range subs {
		b.Subscribe(s, Channel, "c")
	}
	var wg sync.WaitGroup
	for p := range 3 {
		wg.Go(func() {
			for i := range 300 {
				b.Publish(Channel, "c", fmt.Appendf(nil, "%d-%d", p, i))
			}
		})
	}
	wg.Wait()
	first := strings.Split(received(t, subs[0])[2:], "|> ")
	if len(first) != 900 {
		t.Fatalf("%d messages", len(first))
	}
	for i, s := range subs[1:] {
		sep := []string{"|> ", "|* "}[i]
		if got := strings.Split(received(t, s)[2:], sep); !slices.Equal(got, first) {
			t.Errorf("subscriber %d saw another order", s.ID)
		}
	}
}

// TestSubscribersComeAndGo races all operations; what is counted must be what
// is there in the end.
func TestSubscribersComeAndGo(t *testing.T) {
	var b Broker
	var stop atomic.Bool
	var publisher, wg sync.WaitGroup
	publisher.Go(func() {
		for !stop.Load() {
			b.Publish(Channel, "c1", []byte("m"))
		}
	})
	for id := range uint64(4) {
		s := newSession(t, id+1, 3)
		wg.Go(func() {
			for i := range 500 {
				name := fmt.Sprint("c", i%3)
				b.Subscribe(s, Kind(i%3), name)
				if i%2 == 0 {
					b.Unsubscribe(s, Kind(i%3), name)
				}
				s.MergePushes()
				s.Out.Reset()
			}
			b.Drop(s)
			if s.InPubSub() {
				t.Errorf("%d is subscribed after Drop", s.ID)
			}
		})
	}
	wg.Wait()
	stop.Store(true)
	publisher.Wait()
	if n := b.Len(Channel) + b.Len(Pattern) + b.Len(Shard); n != 0 {
		t.Errorf("%d names are left", n)
	}
}
