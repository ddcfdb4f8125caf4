package resptest_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/resptest"
)

// contents are all keys of a server, each as a text that does not depend on what orders
// sets and hashes.
func contents(c *resptest.Conn) map[string]string {
	all := map[string]string{}
	sorted := func(v resptest.Value, step int) string {
		var l []string
		for i := 0; i < len(v.Elems); i += step {
			l = append(l, fmt.Sprint(v.Elems[i:i+step]))
		}
		slices.Sort(l)
		return fmt.Sprint(l)
	}
	for _, db := range []string{"0", "2"} {
		c.Do("SELECT", db)
		for _, k := range c.Do("KEYS", "*").Elems {
			k := k.Text
			if strings.HasPrefix(k, "short") { // whether they are still there is a matter of time
				continue
			}
			kind := c.Do("TYPE", k).Text
			text := c.Do("PEXPIRETIME", k).String() + " " + kind
			switch kind {
			case "string":
				text += c.Do("GET", k).String()
			case "list":
				text += c.Do("LRANGE", k, "0", "-1").String()
			case "set":
				text += sorted(c.Do("SMEMBERS", k), 1)
			case "zset":
				text += c.Do("ZRANGE", k, "0", "-1", "WITHSCORES").String()
			case "hash":
				all := c.Do("HGETALL", k)
				text += sorted(all, 2)
				for i := 0; i < len(all.Elems); i += 2 {
					f := all.Elems[i].Text
					text += f + c.Do("HPEXPIRETIME", k, "FIELDS", "1", f).String()
				}
			case "stream":
				text += c.Do("XRANGE", k, "-", "+").String() + c.Do("XINFO", "GROUPS", k).String()
				for _, g := range c.Do("XINFO", "GROUPS", k).Elems {
					text += c.Do("XPENDING", k, g.Elems[1].Text).String()
				}
			case "vectorset":
				text += sorted(c.Do("VRANGE", k, "-", "+"), 1)
				for e := range 30 {
					text += c.Do("VEMB", k, "e"+strconv.Itoa(e), "RAW").String() + c.Do("VGETATTR", k, "e"+strconv.Itoa(e)).String()
				}
			case "ReJSON-RL":
				text += c.Do("JSON.GET", k).String()
			default:
				text += sorted(c.Do("FT.SUGGET", k, "s", "MAX", "100"), 1)
			}
			all[db+" "+k] = text
		}
	}
	c.Do("SELECT", "0")
	return all
}

func sameContents(t *testing.T, replica, source *resptest.Conn) {
	t.Helper()
	got, want := contents(replica), contents(source)
	for k, v := range want {
		if got[k] != v {
			t.Errorf("key %s is %.1000s, at the source %.1000s", k, got[k], v)
		}
	}
	for k, v := range got {
		if _, ok := want[k]; !ok {
			t.Errorf("key %s is %.1000s, the source has no such key", k, v)
		}
	}
	if len(want) < 40 {
		t.Errorf("only %d keys were compared", len(want))
	}
}

// patience is how long a slow machine may take.
const patience = 2 * time.Minute

// catchUp waits until a replica has all that was written.
func catchUp(t *testing.T, replica, source *resptest.Conn, last string) {
	t.Helper()
	source.Do("SET", "the last", last)
	for end := time.Now().Add(patience); replica.Do("GET", "the last").Text != last; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the replica does not come after: %s", replica.Do("INFO", "replication"))
		}
	}
}

// moreChanges are commands of what Redis' core has not got, among those of changes.
func moreChanges(rng *rand.Rand, i int) [][]string {
	n := strconv.Itoa(rng.IntN(6))
	switch rng.IntN(8) {
	case 0:
		return [][]string{{"JSON.SET", "j" + n, "$", `{"a":` + strconv.Itoa(i) + `,"b":[]}`}}
	case 1:
		return [][]string{{"JSON.ARRAPPEND", "j" + n, "$.b", strconv.Itoa(i)}}
	case 2:
		return [][]string{{"FT.SUGADD", "sug" + n, "s" + strconv.Itoa(rng.IntN(50)), "1", "INCR"}}
	case 3:
		return [][]string{{"HSET", "doc:" + n, "t", "word" + strconv.Itoa(rng.IntN(5))}}
	}
	return changes(rng, i)
}

// TestReplicaOfNearcache follows another server that is written to, over a link that is
// cut fifty times, behind any byte, and ends with the same keys and indexes.
func TestReplicaOfNearcache(t *testing.T) {
	enabled := []string{"--enable-replicas", "yes", "--enable-outgoing-connections", "yes"}
	a, b := resptest.Start(t, enabled...), resptest.Start(t, enabled...)
	source, replica := dial(t, a.Addr(), 2), dial(t, b.Addr(), 2)
	rng := rand.New(rand.NewPCG(7, 7))
	write := writes(source, rng, moreChanges)
	source.Do("FT.CREATE", "ix", "PREFIX", "1", "doc:", "SCHEMA", "t", "TEXT")
	source.Do("SEM.CREATE", "ns", "DIM", "2")
	write(400)
	const cuts = 50
	after := []int64{10, 300, 2000, 1 << 16} // in the handshake, in the copy, and behind it
	for len(after) < cuts {
		after = append(after, 200+rng.Int64N(3000))
	}
	p := newProxy(t, a.Addr(), after...)
	if r := replica.Do("REPLICAOF", "127.0.0.1", p.port()); r.IsError() {
		t.Fatal(r)
	}
	for end := time.Now().Add(patience); p.left() > 0; write(20) {
		if time.Now().After(end) {
			t.Fatalf("%d cuts are left: %s", p.left(), replica.Do("INFO", "replication"))
		}
	}
	write(100)
	catchUp(t, replica, source, "all")
	sameContents(t, replica, source)
	for _, line := range []string{"FT.SEARCH ix word1 NOCONTENT SORTBY t", "SEM.LIST", "FT._LIST"} {
		if got, want := replica.Do(strings.Fields(line)...).String(), source.Do(strings.Fields(line)...).String(); got != want {
			t.Errorf("%s: %s, at the source %s", line, got, want)
		}
	}
	if r := replica.Do("INFO", "replication").Text; !strings.Contains(r, "nearcache_replication_errors:0\r\n") {
		t.Error(r)
	}
	stats := source.Do("INFO", "stats").Text
	if n := resptest.Figure(stats, "sync_partial_ok"); n < cuts/2 {
		t.Errorf("%d links went on where they were: %s", n, stats)
	}
}

// TestRedisAsReplica has a real Redis follow this server, over a link that is cut.
func TestRedisAsReplica(t *testing.T) {
	redis := dial(t, resptest.StartRedis(t), 2)
	s := resptest.Start(t, "--enable-replicas", "yes")
	source := dial(t, s.Addr(), 2)
	p := newProxy(t, s.Addr())
	rng := rand.New(rand.NewPCG(5, 5))
	write := writes(source, rng, changes)
	write(500)
	if r := redis.Do("REPLICAOF", "127.0.0.1", p.port()); r.IsError() {
		t.Fatal(r)
	}
	catchUp(t, redis, source, "the copy")
	for range 5 {
		write(200)
		p.cut()
	}
	write(200)
	catchUp(t, redis, source, "all")
	if stats := source.Do("INFO", "stats").Text; resptest.Figure(stats, "sync_full") < 1 || resptest.Figure(stats, "sync_partial_ok") < 1 {
		t.Error(stats)
	}
	if r := source.Do("WAIT", "1", "0"); r.Text != "1" {
		t.Errorf("WAIT: %s", r)
	}
	if r := redis.Do("REPLICAOF", "NO", "ONE"); r.Text != "OK" {
		t.Fatal(r)
	}
	compareServers(t, source, redis)
}

// TestCopiesUnderLoad takes copies, of a server and of its replica, while several clients
// write: each is of one moment, and the stream goes on behind it.
func TestCopiesUnderLoad(t *testing.T) {
	enabled := []string{"--enable-replicas", "yes", "--enable-outgoing-connections", "yes"}
	a, b, c := resptest.Start(t, enabled...), resptest.Start(t, enabled...), resptest.Start(t, enabled...)
	source, replica, second := dial(t, a.Addr(), 2), dial(t, b.Addr(), 2), dial(t, c.Addr(), 2)
	value := strings.Repeat("v", 500)
	for i := range 4000 {
		source.Do("SET", "fill"+strconv.Itoa(i), value)
	}
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for i := range 4 {
		conn := dial(t, a.Addr(), 2)
		rng := rand.New(rand.NewPCG(9, uint64(i)))
		writers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				for _, words := range moreChanges(rng, n) {
					conn.Do(words...)
				}
			}
		})
	}
	follow := func(conn *resptest.Conn, addr string) {
		t.Helper()
		host, port, _ := net.SplitHostPort(addr)
		conn.Do("REPLICAOF", "NO", "ONE")
		conn.Do("SET", "mine", "1") // it is not the same any more
		if r := conn.Do("REPLICAOF", host, port); r.IsError() {
			t.Fatal(r)
		}
		for end := time.Now().Add(patience); !strings.Contains(conn.Do("INFO", "replication").Text, "master_link_status:up"); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal(conn.Do("INFO", "replication"))
			}
		}
	}
	for range 3 {
		follow(replica, a.Addr())
		follow(second, b.Addr())
	}
	close(stop)
	writers.Wait()
	catchUp(t, replica, source, "all")
	catchUp(t, second, source, "all of it")
	sameContents(t, replica, source)
	sameContents(t, second, source)
	for _, conn := range []*resptest.Conn{replica, second} {
		if r := conn.Do("INFO", "replication").Text; !strings.Contains(r, "nearcache_replication_errors:0\r\n") {
			t.Error(r)
		}
	}
}
