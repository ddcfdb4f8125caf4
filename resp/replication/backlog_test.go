package replication

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/nearcache/nearcache/store"
)

func effect(db int, words ...string) store.Effect {
	e := store.Effect{DB: db}
	for _, w := range words {
		e.Args = append(e.Args, []byte(w))
	}
	return e
}

// read takes all that there is for a Feed.
func read(f *Feed) []byte {
	var all []byte
	for {
		pieces := f.Next(nil)
		if len(pieces) == 0 {
			return all
		}
		n := 0
		for _, p := range pieces {
			all = append(all, p...)
			n += len(p)
		}
		f.Sent(int64(n))
	}
}

func never(bool) { panic("a Feed was ended") }

func TestAppendWritesWhatRedisDoes(t *testing.T) {
	b := New(1 << 20)
	b.Append([]store.Effect{effect(0, "SET", "before", "1")}, false) // nobody is there
	feed, _, offset, db := b.Start(0, never)
	if offset != 0 || db != -1 {
		t.Fatalf("it begins at %d in database %d", offset, db)
	}
	for _, x := range []struct {
		effects []store.Effect
		want    string
	}{
		{[]store.Effect{effect(0, "SET", "k", "v")}, "SELECT 0|SET k v"},
		{[]store.Effect{effect(0, "DEL", "k")}, "DEL k"},
		{[]store.Effect{effect(3, "SET", "k", "")}, "SELECT 3|SET k "},
		{[]store.Effect{effect(3, "INCR", "n"), effect(0, "INCR", "n"), effect(0, "DEL", "x")}, "MULTI|INCR n|SELECT 0|INCR n|DEL x|EXEC"},
		{[]store.Effect{effect(0, "SET", "large", strings.Repeat("x", 3*blockSize))}, "SET large " + strings.Repeat("x", 3*blockSize)},
		{[]store.Effect{effect(1, "SET", "large", strings.Repeat("x", 3*blockSize)), effect(2, "DEL", "x")}, "SELECT 1|MULTI|SET large " + strings.Repeat("x", 3*blockSize) + "|SELECT 2|DEL x|EXEC"},
		{[]store.Effect{effect(2, "DEL", "k")}, "DEL k"},
	} {
		var want []byte
		for _, line := range strings.Split(x.want, "|") {
			words := strings.Split(line, " ")
			want = fmt.Appendf(want, "*%d\r\n", len(words))
			for _, w := range words {
				want = fmt.Appendf(want, "$%d\r\n%s\r\n", len(w), w)
			}
		}
		b.Append(x.effects, false)
		got := read(feed)
		if offset += int64(len(got)); !bytes.Equal(got, want) {
			t.Errorf("%.100q is written as %.200q", x.want, got)
		}
		if b.Offset() != offset {
			t.Errorf("the offset is %d behind %d bytes", b.Offset(), offset)
		}
	}
}

// TestFeedsSeeTheSameStream has feeds of all speeds, some of which go and come back, beside
// who appends.
func TestFeedsSeeTheSameStream(t *testing.T) {
	const size = 300 << 10
	b := New(size)
	first, id, _, _ := b.Start(0, never)
	var all []byte // of the first feed, which is read after each append
	rng := rand.New(rand.NewPCG(1, 1))
	type slow struct {
		f    *Feed
		from int64
		got  []byte
	}
	var feeds []*slow
	for i := range 3000 {
		n := rng.IntN(400)
		if i%200 == 0 {
			n = rng.IntN(3 * blockSize)
		}
		b.Append([]store.Effect{effect(rng.IntN(2), "SET", fmt.Sprint(i), strings.Repeat("v", n))}, false)
		all = append(all, read(first)...)
		switch at := b.Offset(); rng.IntN(40) {
		case 0:
			from := at - rng.Int64N(min(size, at))
			f, now, ok := b.Resume(id, from+1, 0, never)
			if !ok || now != id {
				t.Fatalf("%d of %d is not there", from, at)
			}
			feeds = append(feeds, &slow{f: f, from: from})
		case 1, 2, 3:
			if len(feeds) > 0 {
				s := feeds[rng.IntN(len(feeds))]
				for _, p := range s.f.Next(nil) {
					s.got = append(s.got, p...)
				}
				s.f.Sent(int64(len(s.got)) - (s.f.at - s.from))
			}
		}
	}
	for _, s := range feeds {
		s.got = append(s.got, read(s.f)...)
		if !bytes.Equal(s.got, all[s.from:]) {
			t.Errorf("who begins at %d sees another stream", s.from)
		}
		s.f.Close()
	}
	for _, from := range []int64{0, b.Offset() + 2, -1} {
		if _, _, ok := b.Resume(id, from, 0, never); ok {
			t.Errorf("what is at %d is said to be there", from)
		}
	}
	if st := b.State(); st.Memory > size+(freeBlocks+4)*blockSize {
		t.Errorf("%d bytes are kept", st.Memory)
	}
	first.Close()
	if b.Drop(); b.On() || b.State().ID == id {
		t.Error("a stream that is dropped goes on")
	}
}

func TestSlowFeedIsEnded(t *testing.T) {
	b := New(1)
	ended := 0
	_, _, _, _ = b.Start(10_000, func(bool) { ended++ })
	for range 100 {
		b.Append([]store.Effect{effect(0, "SET", "k", strings.Repeat("v", 1000))}, false)
	}
	if ended != 1 {
		t.Errorf("it is ended %d times", ended)
	}
}

// TestFollowAndPromote takes a stream through its lives.
func TestFollowAndPromote(t *testing.T) {
	b := New(1 << 20)
	ended := 0
	end := func(bool) { ended++ }
	_, mine, _, _ := b.Start(0, end)
	strays := 0
	b.OnStray = func() { strays++ }
	if b.Follow(); ended != 1 {
		t.Error("who follows a server that follows another one goes on")
	}
	b.Append([]store.Effect{effect(0, "SET", "k", "v")}, true)
	b.AppendCommand([]byte("PING"))
	if b.Offset() != 0 || strays != 1 {
		t.Errorf("a commit is in the stream of another: offset %d, %d strays", b.Offset(), strays)
	}
	b.Reset("master", 100, true)
	b.AppendRaw([]byte("0123456789"), 5)
	f, id, ok := b.Resume("MASTER", 106, 0, end)
	if !ok || id != "master" || string(read(f)) != "56789" {
		t.Errorf("the stream of the master does not go on: %q %v", id, ok)
	}
	if _, _, offset, db := b.Start(0, end); offset != 110 || db != 5 {
		t.Errorf("a copy goes on at %d in database %d", offset, db)
	}
	if b.Rename("renamed"); ended != 3 {
		t.Errorf("%d are told of another name", ended-1)
	}
	b.AppendRaw([]byte("abc"), 5)
	b.Promote(true)
	st := b.State()
	if st.ID2 != "renamed" || st.Second != 114 || st.ID == "renamed" || st.ID == mine {
		t.Errorf("after a promotion: %+v", st)
	}
	b.Append([]store.Effect{effect(5, "DEL", "k")}, false)
	if _, _, ok := b.Resume("renamed", 115, 0, end); ok {
		t.Error("what its old master wrote later is said to be here")
	}
	f, id, ok = b.Resume("renamed", 112, 0, end)
	if got := string(read(f)); !ok || id != st.ID || !strings.HasPrefix(got, "bc*2\r\n$6\r\nSELECT\r\n$1\r\n5\r\n*2\r\n$3\r\nDEL") {
		t.Errorf("the stream goes on with %q", got)
	}
	b.Follow()
	b.Promote(false)
	if st := b.State(); st.On || st.ID2 != NoID || st.Second != -1 {
		t.Errorf("after a promotion without a stream: %+v", st)
	}
}

// TestReadWhileAppending is for the race detector.
func TestReadWhileAppending(t *testing.T) {
	b := New(100 << 10)
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 3 {
		f, _, _, _ := b.Start(0, never)
		wg.Go(func() {
			defer f.Close()
			for {
				if len(read(f)) == 0 {
					select {
					case <-f.Ready:
					case <-done:
						return
					}
				}
			}
		})
	}
	var writers sync.WaitGroup
	for range 2 {
		writers.Go(func() {
			for range 2000 {
				b.Append([]store.Effect{effect(0, "SET", "k", strings.Repeat("v", 300))}, false)
			}
		})
	}
	writers.Wait()
	close(done)
	wg.Wait()
}

func TestAppendDoesNotAllocate(t *testing.T) {
	b := New(100 << 10)
	f, _, _, _ := b.Start(0, never)
	e := []store.Effect{effect(0, "SET", "key", "value")}
	room := make([][]byte, 0, 8)
	step := func() {
		b.Append(e, false)
		n := 0
		for _, p := range f.Next(room[:0]) {
			n += len(p)
		}
		f.Sent(int64(n))
	}
	for range 100_000 { // until blocks are used again
		step()
	}
	if n := testing.AllocsPerRun(1000, step); n >= 1 {
		t.Errorf("%v allocations a commit", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	s := New(1 << 20)
	f, _, _, _ := s.Start(0, never)
	e := []store.Effect{effect(0, "SET", "key:000001", strings.Repeat("v", 100))}
	for b.Loop() {
		s.Append(e, false)
		f.Sent(s.Offset() - f.at)
	}
}
