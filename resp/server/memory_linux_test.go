//go:build !race

package server

import (
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/nearcache/nearcache/store"
)

// anonymous is what the kernel says the process holds, without files.
func anonymous(t *testing.T) int64 {
	t.Helper()
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	_, rest, ok := bytes.Cut(b, []byte("RssAnon:"))
	if !ok {
		t.Skip("the kernel does not say")
	}
	n, err := strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// TestInfoMemoryAddsUpToWhatTheKernelSays fills a keyspace. It runs alone.
func TestInfoMemoryAddsUpToWhatTheKernelSays(t *testing.T) {
	cfg, err := LoadConfig([]string{"--port", "0", "--appendonly", "no", "--dir", t.TempDir()}, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	s := New(cfg)
	t.Cleanup(s.ks.Close)
	says := func() int64 {
		m := s.memory()
		return m.used + m.goHeld + s.ks.Slack()
	}
	had := anonymous(t)
	said := says()
	var tx store.Tx
	value := bytes.Repeat([]byte("value"), 40)
	for i := range 400_000 {
		key := fmt.Appendf(nil, "key:%012d", i)
		tx.Begin(s.ks, 0, 0)
		tx.LockKey(key)
		tx.Changed(tx.PutString(nil, key, value[:i%len(value)], 0), store.ClassString, "set")
		tx.End()
	}
	s.ks.Maintain()
	has := anonymous(t) - had
	got := says() - said
	t.Logf("INFO says %d kB more, the kernel %d", got>>10, has>>10)
	if has < 400_000*100 {
		t.Fatalf("%d kB for 400,000 keys", has>>10)
	}
	const huge = 2 << 20 // a page, of which the last is not full
	if got < has*95/100-huge || got > has*105/100+huge {
		t.Errorf("INFO says %d kB more, the kernel %d", got>>10, has>>10)
	}
}
