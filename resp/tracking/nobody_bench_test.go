package tracking_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/session"
	"github.com/nearcache/nearcache/resp/tracking"
	"github.com/nearcache/nearcache/store"
)

// BenchmarkWriteNobodyTracks writes strings, with and without a table that nobody
// has entered anything in, in turns; "ratio" is the time with it of that without.
func BenchmarkWriteNobodyTracks(b *testing.B) {
	var spaces [2]*store.Keyspace
	keys := make([][]byte, 1000)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "key:%012d", i)
	}
	for i := range spaces {
		spaces[i] = store.New(store.Options{})
		if i == 1 {
			spaces[i].Observe(tracking.New(&session.Registry{}))
		}
	}
	value := make([]byte, 64)
	var tx store.Tx
	write := func(ks *store.Keyspace) time.Duration {
		start := time.Now()
		for _, k := range keys {
			tx.Begin(ks, 0, 1)
			tx.LockKey(k)
			e := tx.PutString(tx.Find(k), k, value, 0)
			tx.Changed(e, store.ClassString, "set")
			tx.FinishCommand(nil)
			tx.End()
		}
		return time.Since(start)
	}
	var took [2]time.Duration
	b.ReportAllocs()
	for b.Loop() {
		for _, i := range []int{0, 1, 1, 0} {
			took[i] += write(spaces[i])
		}
	}
	b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "ratio")
}
