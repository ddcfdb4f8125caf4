package keyspace

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/nearcache/nearcache/store"
)

// gcRow is what a full collection takes beside a keyspace.
type gcRow struct {
	Keys   int     `json:"keys"`
	Heap   uint64  `json:"heap"` // bytes of objects on the Go heap
	CPU    float64 `json:"cpu"`  // seconds, of all cores
	Wall   float64 `json:"wall"`
	Empty  float64 `json:"empty"`  // CPU without a key
	Filled float64 `json:"filled"` // seconds to fill
}

// collect is the processor time of a full collection: the median of five.
func collect() (cpu, wall float64) {
	var c, w []float64
	for range 5 {
		start, at := gcSeconds(), time.Now()
		runtime.GC()
		w = append(w, time.Since(at).Seconds())
		c = append(c, gcSeconds()-start)
	}
	return median(c), median(w)
}

func gcSeconds() float64 {
	m := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}}
	metrics.Read(m)
	return m[0].Value.Float64()
}

func (b *bench) measureGC(r *report) error {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // only when it is asked for
	ks := store.New(store.Options{})
	defer ks.Close()
	row := &gcRow{Keys: b.keys}
	row.Empty, _ = collect()
	value := make([]byte, 64)
	start := time.Now()
	var tx store.Tx
	key := make([]byte, 0, 32)
	for i := range b.keys {
		key = fmt.Appendf(key[:0], "key:%012d", i)
		at := int64(0)
		if i%2 == 0 {
			at = start.UnixMilli() + int64(3600+i%86400)*1000
		}
		tx.BeginAt(ks, 0, 0, start.UnixMilli())
		tx.LockKey(key)
		tx.Changed(tx.PutString(nil, key, value, at), store.ClassString, "set")
		tx.End()
	}
	row.Filled = time.Since(start).Seconds()
	row.CPU, row.Wall = collect()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	row.Heap = m.HeapAlloc
	if n, _ := keyCount(ks); n != b.keys {
		return fmt.Errorf("%d keys, want %d", n, b.keys)
	}
	r.GC = row
	return nil
}

func keyCount(ks *store.Keyspace) (keys, volatile int) {
	var tx store.Tx
	tx.Begin(ks, 0, 0)
	defer tx.End()
	return tx.Len(0)
}

func (r *report) writeGC(w io.Writer) {
	if r.GC == nil {
		return
	}
	g := r.GC
	fmt.Fprintf(w, "\n## A full garbage collection\n\nA keyspace of %d keys in the process: %.0f ms of processor time (%.0f ms without a key), %.0f ms until it is done; %d kB of objects on the Go heap.\n",
		g.Keys, g.CPU*1e3, g.Empty*1e3, g.Wall*1e3, g.Heap>>10)
}
