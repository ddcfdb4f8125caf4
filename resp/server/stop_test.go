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
	"REPLCONF capa eof", "PSYNC ? -1", "PSYNC ? -1", "SYNC", "REPLCONF ACK 1", "REPLICAOF 127.0.0.1 {port}", "REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE",
	"CLIENT KILL TYPE replica", "BGSAVE",
}

// TestTheServerEndsWhateverItsClientsDo: no client, and no moment, keeps Run from returning.
func TestTheServerEndsWhateverItsClientsDo(t *testing.T) {
	for round := range 8 {
		rng := rand.New(rand.NewPCG(uint64(round), 5))
		settings := []string{"--enable-debug-command", "yes", "--enable-replicas", "yes", "--enable-outgoing-connections", "yes", "--io-threads", fmt.Sprint(1 + round%2), "--shutdown-timeout", fmt.Sprint(round % 2)}
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
		t.Logf("round %d", round)
		ends(t, s)
		stop.Store(true)
		wg.Wait()
	}
}

// ends ends a server, whatever keeps it.
func ends(t *testing.T, s *resptest.Server) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- s.Stop() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the server does not end")
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
	_, port, _ := net.SplitHostPort(addr)
	if rng.IntN(4) == 0 { // else hardly anyone says both in this order
		_, _ = c.Write([]byte(resptest.Encode("REPLCONF", "capa", "eof")))
		time.Sleep(time.Millisecond)
		_, _ = c.Write([]byte(resptest.Encode("PSYNC", "?", "-1")))
	}
	for range rng.IntN(20) {
		var b strings.Builder
		for range 1 + rng.IntN(10) {
			b.WriteString(resptest.Encode(strings.Fields(strings.ReplaceAll(unruly[rng.IntN(len(unruly))], "{port}", port))...))
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

// TestNobodyIsSentWhatIsForAnother: replies and pushes of clients that share a reactor and its
// memory come whole, in order, and to whom they belong, while some turns take long.
func TestNobodyIsSentWhatIsForAnother(t *testing.T) {
	s := resptest.Start(t, "--enable-debug-command", "yes", "--io-threads", "1")
	const clients, rounds = 12, 60
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 6))
			c, err := resptest.Dial(s.Addr(), 3)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			if i%2 == 0 {
				c.DoMany(1, "SUBSCRIBE", "c")
				c.Do("CLIENT", "TRACKING", "ON", "BCAST")
			}
			for round := range rounds {
				var w strings.Builder
				var want []string
				add := func(reply string, args ...string) {
					w.WriteString(resptest.Encode(args...))
					want = append(want, reply)
				}
				for j := range 1 + rng.IntN(30) {
					mark := fmt.Sprintf("%d:%d:%d:%s", i, round, j, strings.Repeat("x", rng.IntN(1<<rng.IntN(14))))
					switch rng.IntN(6) {
					case 0:
						add("", "PUBLISH", "c", mark)
					case 1:
						add("OK", "SET", fmt.Sprint("k", i), mark)
						add(mark, "GET", fmt.Sprint("k", i))
					case 2:
						if i == 1 && rng.IntN(20) == 0 {
							add("OK", "DEBUG", "SLEEP", "0.025")
						}
						add("", "INCR", "n")
					default:
						add(mark, "ECHO", mark)
					}
				}
				b := w.String()
				cut := rng.IntN(len(b))
				c.Write(b[:cut])
				if rng.IntN(2) == 0 {
					time.Sleep(time.Duration(rng.IntN(300)) * time.Microsecond)
				}
				c.Write(b[cut:])
				for k := 0; k < len(want); {
					v := c.Next()
					switch {
					case v.Kind == resptest.Push:
						if len(v.Elems) < 2 || v.Elems[0].Text != "message" && v.Elems[0].Text != "invalidate" {
							t.Errorf("client %d: a push %v", i, v)
							return
						}
						continue
					case want[k] == "" && v.Kind == resptest.Int:
					case want[k] == "" || v.Text != want[k]:
						t.Errorf("client %d, round %d: %.60v where %.60q belongs", i, round, v, want[k])
						return
					}
					k++
				}
			}
		})
	}
	wg.Wait()
}
