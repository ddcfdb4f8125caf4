package persist

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearcache/nearcache/store/vfs"
)

// folder makes one with a base of several segments and blocks, and a log of several segments. It returns
// what a load gives.
func folder(t testing.TB, rng *rand.Rand) (*vfs.Mem, []string) {
	t.Helper()
	fsys := vfs.NewMem()
	l, _, _ := mustOpen(t, fsys, Options{Fsync: Always, SegmentSize: 3000})
	for i := range 20 {
		l.Append(set("gone", fmt.Sprint(i)))
	}
	check(t, l.RewriteAt(t.Context(), func(mark func()) { mark() }, func(b *Base) error {
		for i := range 12 {
			var block []byte
			for k := range 1 + rng.IntN(5) {
				text := strings.Repeat(fmt.Sprint("words ", rng.Uint64()), 1+rng.IntN(300))
				block = AppendCommand(block, 1, []byte("SET"), fmt.Appendf(nil, "b%d:%d", i, k), []byte(text))
			}
			if err := b.Block(9, 10, block); err != nil {
				return err
			}
			b.l.o.SegmentSize = 3000
			if len(b.buf) > 3000 && rng.IntN(2) == 0 && b.f != nil {
				if err := b.end(); err != nil {
					return err
				}
			}
		}
		return nil
	}))
	for i := range 30 {
		check(t, l.Wait(l.Append(set(fmt.Sprint("k", i), strings.Repeat("v", rng.IntN(600))))))
	}
	check(t, l.Close())
	got, _ := reload(t, fsys)
	return fsys, got
}

// TestCheckAgreesWithOpen flips bits and cuts files of a folder: Check finds what Open refuses, and
// Repair leaves a folder that opens and holds nothing that was not there. NEARCACHE_FLIPS says how often.
func TestCheckAgreesWithOpen(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	whole, want := folder(t, rng)
	rep, err := Check(whole, testDir)
	check(t, err)
	if len(rep.Damage) > 0 || rep.Torn != nil || rep.Records != uint64(len(want)) {
		t.Fatalf("a folder that is whole: %+v, %d records", rep, len(want))
	}
	names := segmentFiles(t, whole)
	files := map[string][]byte{}
	for _, n := range append(slices.Clone(names), manifestName) {
		files[n] = readAll(t, whole, filepath.Join(testDir, n))
	}
	times := 400
	if n, err := strconv.Atoi(os.Getenv("NEARCACHE_FLIPS")); err == nil {
		times = n
	}
	const workers = 4
	var refused, cut atomic.Int64
	t.Run("flips", func(t *testing.T) {
		for w := range workers {
			t.Run(fmt.Sprint(w), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(5, uint64(7+w)))
				for range times / workers {
					f := flip{t: t, rng: rng, names: names, files: files, want: want}
					switch f.run() {
					case flipRefused:
						refused.Add(1)
					case flipCut:
						cut.Add(1)
					}
				}
			})
		}
	})
	if n := refused.Load(); n < int64(times/4) || cut.Load() == 0 {
		t.Fatalf("%d refused, %d cut", n, cut.Load())
	}
}

// flip is a folder in which a bit is flipped, or a file is cut.
type flip struct {
	t     *testing.T
	rng   *rand.Rand
	names []string
	files map[string][]byte
	want  []string
}

// What becomes of one.
const (
	flipNothing = iota
	flipRefused
	flipCut
)

func (f *flip) run() int {
	t, rng := f.t, f.rng
	fsys := vfs.NewMem()
	check(t, fsys.MkdirAll(testDir))
	bad := f.names[rng.IntN(len(f.names))]
	for n, b := range f.files {
		if n == bad && len(b) > 0 {
			b = slices.Clone(b)
			if rng.IntN(4) == 0 {
				b = b[:rng.IntN(len(b))]
			} else {
				b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
			}
		}
		check(t, writeFile(fsys, filepath.Join(testDir, n), b))
	}
	check(t, fsys.SyncDir(testDir))
	rep, err := Check(fsys, testDir)
	check(t, err)
	var got []string
	l, _, err := Open(fsys, testDir, Options{}, collect(&got))
	if (err != nil) != (len(rep.Damage) > 0) {
		t.Fatalf("%s: Open says %v, Check %+v", bad, err, rep)
	}
	if err == nil {
		check(t, l.Close())
		if !slices.Equal(got, f.want[:len(got)]) {
			t.Fatalf("%s: loads what was not there", bad)
		}
		if rep.Torn != nil {
			return flipCut
		}
		return flipNothing
	}
	rep, err = Repair(fsys, testDir, time.Unix(1_800_000_000, 0))
	check(t, err)
	if len(rep.Kept) == 0 {
		t.Fatalf("%s: nothing is kept: %+v", bad, rep)
	}
	if again, err := Check(fsys, testDir); err != nil || len(again.Damage) > 0 {
		t.Fatalf("%s: after Repair %v %+v", bad, err, again)
	}
	got, _ = reload(t, fsys)
	i := 0
	for _, r := range got {
		for i < len(f.want) && f.want[i] != r {
			i++
		}
		if i == len(f.want) {
			t.Fatalf("%s: %.80q was not there, or not in that order", bad, r)
		}
		i++
	}
	if strings.HasSuffix(bad, ".base") && len(got) < 30 {
		t.Fatalf("%s: only %d records of %d are left", bad, len(got), len(f.want))
	}
	return flipRefused
}

// TestRepairWithoutAFile removes each of a folder's files, and all bases: Repair leaves what opens.
func TestRepairWithoutAFile(t *testing.T) {
	t.Parallel()
	whole, want := folder(t, rand.New(rand.NewPCG(5, 8)))
	names := segmentFiles(t, whole)
	var bases []string
	sets := [][]string{names}
	for _, n := range names {
		if sets = append(sets, []string{n}); strings.HasSuffix(n, ".base") {
			bases = append(bases, n)
		}
	}
	for _, gone := range append(sets, bases) {
		fsys := vfs.NewMem()
		check(t, fsys.MkdirAll(testDir))
		for _, n := range append(slices.Clone(names), manifestName) {
			if !slices.Contains(gone, n) {
				check(t, writeFile(fsys, filepath.Join(testDir, n), readAll(t, whole, filepath.Join(testDir, n))))
			}
		}
		check(t, fsys.SyncDir(testDir))
		if _, _, err := Open(fsys, testDir, Options{}, func(Record) error { return nil }); err == nil || !strings.Contains(err.Error(), "is damaged at offset 0: the file is missing") {
			t.Errorf("without %q: Open says %v", gone, err)
		}
		rep, err := Repair(fsys, testDir, time.Unix(1_800_000_000, 0))
		check(t, err)
		for _, n := range rep.Kept {
			if _, err := fsys.Stat(filepath.Join(testDir, n)); err != nil || slices.ContainsFunc(gone, func(g string) bool { return strings.HasPrefix(n, g) }) {
				t.Errorf("without %q: kept %s: %v", gone, n, err)
			}
		}
		if again, err := Check(fsys, testDir); err != nil || len(again.Damage) > 0 {
			t.Fatalf("without %q: after Repair %v %+v", gone, err, again)
		}
		if got, _ := reload(t, fsys); len(gone) < len(names) && strings.HasSuffix(gone[0], ".base") && len(got) < 30 {
			t.Errorf("without %q: %d records of %d are left", gone, len(got), len(want))
		}
	}
}

// TestBackupOfAFolderInUse copies it while it is written to and rewritten.
func TestBackupOfAFolderInUse(t *testing.T) {
	t.Parallel()
	fsys := vfs.NewMem()
	l, _, _ := mustOpen(t, fsys, Options{Fsync: Always, SegmentSize: 2000})
	defer l.Close()
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			check(t, l.Wait(l.Append(set("k", strings.Repeat("x", i%300)))))
			if i%50 == 49 {
				check(t, l.Rewrite(t.Context(), func(w func(Record) error) error { return w(*set("base", fmt.Sprint(i))) }))
			}
		}
	}()
	for i := range 30 {
		to := fmt.Sprintf("/backup/%d", i)
		before := l.Durable()
		rep, err := Backup(fsys, testDir, to)
		check(t, err)
		if len(rep.Damage) > 0 {
			t.Fatalf("%+v", rep)
		}
		b, rp, err := Open(fsys, to, Options{}, func(Record) error { return nil })
		check(t, err)
		check(t, b.Close())
		if rp.LastLSN < before {
			t.Fatalf("backup %d ends at %d; %d were on disk before", i, rp.LastLSN, before)
		}
	}
	close(stop)
	<-done
	if _, err := Backup(fsys, testDir, testDir); err == nil {
		t.Fatal("a backup into a folder that is in use")
	}
}

// FuzzRepair repairs a folder whose base and log are arbitrary behind good headers: what is left opens.
func FuzzRepair(f *testing.F) {
	frames := func(first uint64, recs ...*Record) []byte {
		var b, scratch []byte
		for i, r := range recs {
			b = r.appendFrame(b, first+uint64(i))
		}
		return finish(b, seedOf(0), true, &scratch)
	}
	base, log := frames(1, set("a", "b"), set("c", strings.Repeat("d", 5000))), frames(5, set("e", "f"), set("g", "h"))
	f.Add(base, log)
	f.Add(base[3:], log)
	f.Add(base[:len(base)-1], log[1:])
	f.Add([]byte{}, make([]byte, 60))
	f.Fuzz(func(t *testing.T, base, log []byte) {
		fsys := vfs.NewMem()
		check(t, fsys.MkdirAll(testDir))
		segs := []segment{{num: 1, kind: kindBase, first: 1, size: headerSize + int64(len(base))}, {num: 2, first: 5, size: headerSize + int64(len(log))}, {num: 3, first: 7, size: openEnd}}
		for i, b := range [][]byte{base, log, frames(7, set("i", "j"))} {
			check(t, writeFile(fsys, filepath.Join(testDir, segs[i].name()), append(segs[i].appendHeader(nil, 0), b...)))
		}
		check(t, writeManifest(fsys, testDir, segs))
		if _, err := Repair(fsys, testDir, time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		reload(t, fsys)
	})
}
