package persist

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/nearcache/nearcache/store/vfs"
)

// discard is a file system whose files take bytes and keep none: what is left is the cost of the log itself.
type discard struct{ *vfs.Mem }

type discardFile struct{ vfs.File }

func (d discard) Create(name string) (vfs.File, error) {
	f, err := d.Mem.Create(name)
	return discardFile{f}, err
}

func (discardFile) Write(p []byte) (int, error) { return len(p), nil }

func (discardFile) Sync() error { return nil }

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{16, 100, 1000, 16 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("value=%d", size), func(b *testing.B) {
			l, _, err := Open(discard{vfs.NewMem()}, testDir, Options{Fsync: No, SegmentSize: 1 << 50}, nil)
			check(b, err)
			defer l.Close()
			r := set("key:000000000001", strings.Repeat("v", size))
			b.SetBytes(r.Size())
			b.ReportAllocs()
			for b.Loop() {
				l.Throttle()
				l.Append(r)
			}
		})
	}
}

// BenchmarkGroupCommit is n sessions that append and wait, on the machine's disk.
func BenchmarkGroupCommit(b *testing.B) {
	for _, n := range []int{1, 4, 16, 64, 256, 1024} {
		b.Run(fmt.Sprintf("waiters=%d", n), func(b *testing.B) {
			l, _, err := Open(vfs.OS, b.TempDir(), Options{Fsync: Always}, nil)
			check(b, err)
			defer l.Close()
			syncs := l.Stats().Syncs
			work := make(chan struct{}, n)
			var wg sync.WaitGroup
			for range n {
				wg.Go(func() {
					r := set("key:000000000001", strings.Repeat("v", 100))
					for range work {
						if err := l.Wait(l.Append(r)); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for b.Loop() {
				work <- struct{}{}
			}
			close(work)
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
			b.ReportMetric(float64(b.N)/float64(l.Stats().Syncs-syncs), "appends/sync")
		})
	}
}

// BenchmarkEverysec is appends with the disk behind them, throttled by it.
func BenchmarkEverysec(b *testing.B) {
	l, _, err := Open(vfs.OS, b.TempDir(), Options{}, nil)
	check(b, err)
	defer l.Close()
	r := set("key:000000000001", strings.Repeat("v", 100))
	b.SetBytes(r.Size())
	for b.Loop() {
		l.Throttle()
		l.Append(r)
	}
}

func BenchmarkLoad(b *testing.B) {
	fsys := vfs.NewMem()
	l, _, err := Open(fsys, testDir, Options{Fsync: No}, nil)
	check(b, err)
	r := set("key:000000000001", strings.Repeat("v", 100))
	const n = 200_000
	for range n {
		l.Append(r)
	}
	b.SetBytes(n * r.Size())
	check(b, l.Close())
	for b.Loop() {
		l, rep, err := Open(fsys, testDir, Options{Fsync: No}, func(Record) error { return nil })
		check(b, err)
		if rep.Records != n {
			b.Fatal(rep.Records)
		}
		check(b, l.Close())
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "records/s")
}
