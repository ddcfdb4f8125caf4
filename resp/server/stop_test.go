package server_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/resptest"
)

// unruly are things that a client may be at when it, or the server, ends.
var unruly = []string{
	"GET k", "SET k v", "GET k", "MGET k l m", "INCR n",
	"HELLO 3", "CLIENT TRACKING ON", "CLIENT TRACKING ON BCAST", "CLIENT TRACKING OFF",
	"BLPOP q 0", "BLPOP q 0.001", "LPUSH q x", "XREAD BLOCK 0 STREAMS s $", "XADD s * f v",
	"SUBSCRIBE c", "PSUBSCRIBE *", "PUBLISH c m", "MONITOR", "RESET",
	"CLIENT KILL TYPE normal", "CLIENT KILL TYPE pubsub", "CLIENT KILL TYPE normal SKIPME no",
	"CLIENT PAUSE 30 ALL", "CLIENT PAUSE 30 WRITE", "CLIENT UNPAUSE", "CLIENT REPLY OFF", "CLIENT REPLY ON",
	"MULTI", "EXEC", "WATCH k", "QUIT", "PING", "GETRANGE big 0 -1", "GETRANGE big 0 -1", "NOSUCH", "FLUSHALL ASYNC",
	"DEBUG SLEEP 0.03", "WAIT 1 5", "SEM.SET ns prompt answer", "SEM.GET ns prompt", "DEL k", "TRACKING.STATS",
}

// TestTheServerEndsWhateverItsClientsDo: no client, and no moment, keeps Run from returning.
func TestTheServerEndsWhateverItsClientsDo(t *testing.T) {
	for round := range 8 {
		rng := rand.New(rand.NewPCG(uint64(round), 5))
		settings := []string{"--enable-debug-command", "yes", "--io-threads", fmt.Sprint(1 + round%2)}
		if round%3 == 0 {
			settings = append(settings, "--appendonly", "yes", "--appendfsync", "always")
		}
		s := resptest.Start(t, settings...)
		var stop atomic.Bool
		var wg sync.WaitGroup
		for i := range 16 {
			rng := rand.New(rand.NewPCG(uint64(round), uint64(i)+100))
			wg.Go(func() {
				for !stop.Load() {
					misbehave(rng, s.Addr())
				}
			})
		}
		time.Sleep(time.Duration(rng.IntN(200)) * time.Millisecond) // any moment
		ended := make(chan error, 1)
		go func() { ended <- s.Stop() }()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Minute):
			t.Fatalf("round %d: the server does not end", round)
		}
		stop.Store(true)
		wg.Wait()
	}
}

// misbehave is the life of one client, which ends at some time or other.
func misbehave(rng *rand.Rand, addr string) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		time.Sleep(time.Millisecond)
		return
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(100 * time.Millisecond))
	if rng.IntN(2) == 0 {
		go io.Copy(io.Discard, c)
	}
	if rng.IntN(8) == 0 {
		_, _ = c.Write([]byte(resptest.Encode("SETRANGE", "big", "300000", "x")))
	}
	for range rng.IntN(20) {
		var b strings.Builder
		for range 1 + rng.IntN(10) {
			b.WriteString(resptest.Encode(strings.Fields(unruly[rng.IntN(len(unruly))])...))
		}
		w := b.String()
		if rng.IntN(10) == 0 {
			w = w[:rng.IntN(len(w))]
		}
		if _, err := io.WriteString(c, w); err != nil {
			return
		}
		if rng.IntN(3) == 0 {
			time.Sleep(time.Duration(rng.IntN(3000)) * time.Microsecond)
		}
	}
}
