package persist

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/s2"
	"go.uber.org/goleak"

	"github.com/nearcache/nearcache/store/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testDir = "/data/log"

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// set is the record of SET key value.
func set(key, value string) *Record {
	return &Record{Seq: 7, At: 1_700_000_000_000, Commands: []Command{{DB: 3, Args: [][]byte{[]byte("SET"), []byte(key), []byte(value)}}}}
}

// text is what a record says, for comparing.
func text(r Record) string {
	var b strings.Builder
	for i, c := range r.Commands {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%d:%s", c.DB, bytes.Join(c.Args, []byte(" ")))
	}
	return b.String()
}

func collect(into *[]string) func(Record) error {
	return func(r Record) error {
		*into = append(*into, text(r))
		return nil
	}
}

func mustOpen(t testing.TB, fsys vfs.FS, o Options) (*Log, []string, Report) {
	t.Helper()
	var got []string
	l, rep, err := Open(fsys, testDir, o, collect(&got))
	check(t, err)
	return l, got, rep
}

func reload(t testing.TB, fsys vfs.FS) ([]string, Report) {
	t.Helper()
	l, got, rep := mustOpen(t, fsys, Options{})
	check(t, l.Close())
	return got, rep
}

func segmentFiles(t testing.TB, fsys vfs.FS) []string {
	t.Helper()
	names, err := fsys.List(testDir)
	check(t, err)
	return slices.DeleteFunc(names, func(n string) bool { _, ok := parseName(n); return !ok })
}

func same(t testing.TB, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got %d records, want %d\ngot  %.300q\nwant %.300q", len(got), len(want), got, want)
	}
}

func TestRecordsComeBackAsTheyWere(t *testing.T) {
	fsys := vfs.NewMem()
	records := []Record{
		*set("k", "v"),
		{Seq: 1<<64 - 1, At: -1, Commands: []Command{{DB: 0, Args: [][]byte{[]byte("FLUSHALL")}}}},
		{Seq: 9, Commands: []Command{
			{DB: 0, Args: [][]byte{[]byte("SET"), {}, {0, 255}}},
			{DB: 15, Args: [][]byte{[]byte("DEL"), []byte("k")}},
		}},
		*set("text", strings.Repeat("what may be compressed. ", 1000)),
		*set("huge", strings.Repeat("0123456789abcdef", 100_000)),
		{Seq: 4}, // not written
		*set("last", ""),
	}
	l, _, _ := mustOpen(t, fsys, Options{})
	var want []Record
	for i := range records {
		lsn := l.Append(&records[i])
		if len(records[i].Commands) > 0 {
			records[i].LSN = lsn
			want = append(want, records[i])
		}
	}
	check(t, l.Close())
	if st := l.Stats(); st.Size > 100_000 {
		t.Fatalf("%d bytes: text was not compressed", st.Size)
	}
	i := 0
	l, rep, err := Open(fsys, testDir, Options{}, func(r Record) error {
		w := want[i]
		i++
		if r.LSN != w.LSN || r.Seq != w.Seq || r.At != w.At || text(r) != text(w) || r.LSN != uint64(i) {
			t.Errorf("record %d: %d %d %d %.100s", i, r.LSN, r.Seq, r.At, text(r))
		}
		return nil
	})
	check(t, err)
	if i != len(want) || rep.Records != uint64(i) || rep.LastLSN != uint64(i) || rep.LastSeq != 1<<64-1 || rep.Torn != nil {
		t.Fatalf("%d of %d, %+v", i, len(want), rep)
	}
	if l.Appended() != uint64(i) {
		t.Fatal(l.Appended())
	}
	check(t, l.Close())
	if err := l.Close(); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	if err := l.Wait(1); err != nil {
		t.Fatal(err)
	}
}

// A large record is compressed piece by piece, into memory that is no larger than
// that, and read as one block.
func TestLargeRecordsArePackedInPieces(t *testing.T) {
	text := bytes.Repeat([]byte("what repeats becomes short. "), 5*packPiece/28)
	noise := make([]byte, packPiece)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(noise)
	var scratch []byte
	f := func(name string, payload []byte, packs bool) {
		t.Helper()
		pieces := pack(payload, &scratch)
		packed := bytes.Join(pieces, nil)
		if (pieces != nil) != packs || len(packed) > len(payload)-len(payload)/8 {
			t.Fatalf("%s: %d bytes of %d", name, len(packed), len(payload))
		}
		if cap(scratch) > 2*packPiece {
			t.Errorf("%s: %d bytes beside them", name, cap(scratch))
		}
		if packs {
			if plain, err := s2.Decode(nil, packed); err != nil || !bytes.Equal(plain, payload) {
				t.Errorf("%s: something else comes back: %v", name, err)
			}
		}
	}
	f("a piece", text[:packPiece], true)
	f("a piece and a byte", text[:packPiece+1], true)
	f("text", text, true)
	f("noise", noise[:packPiece/2], false)
	f("text and noise", append(text[:len(text):len(text)], noise[:packPiece/4]...), true)
	f("text and more noise", append(text[:packPiece:packPiece], bytes.Repeat(noise, 9)...), false)
	f("noise and text", append(noise[:packPiece:packPiece], text...), false) // it is given up early
}

func TestAppendDoesNotAllocate(t *testing.T) {
	l, _, _ := mustOpen(t, vfs.NewMem(), Options{Fsync: No})
	defer l.Close()
	r := set("key:000000000001", strings.Repeat("v", 100))
	for range 10_000 {
		l.Append(r)
	}
	check(t, l.Flush())
	if n := testing.AllocsPerRun(1000, func() { l.Append(r) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func TestFolderInUseIsRefused(t *testing.T) {
	for _, fsys := range []vfs.FS{vfs.NewMem(), vfs.OS} {
		dir := filepath.Join(t.TempDir(), "new", "log")
		l, _, err := Open(fsys, dir, Options{}, nil)
		check(t, err)
		if _, _, err := Open(fsys, dir, Options{}, nil); !errors.Is(err, vfs.ErrLocked) || !strings.Contains(err.Error(), dir) {
			t.Fatalf("second Open: %v", err)
		}
		check(t, l.Close())
		l, _, err = Open(fsys, dir, Options{}, nil)
		check(t, err)
		check(t, l.Close())
	}
}

func TestSegmentsFollowEachOther(t *testing.T) {
	fsys := vfs.NewMem()
	var want []string
	for range 3 {
		l, got, _ := mustOpen(t, fsys, Options{Fsync: Always, SegmentSize: 500})
		same(t, got, want)
		for range 40 {
			r := set("k", fmt.Sprint(len(want)))
			want = append(want, text(*r))
			check(t, l.Wait(l.Append(r)))
		}
		check(t, l.Close())
	}
	if n := len(segmentFiles(t, fsys)); n < 8 {
		t.Fatalf("%d segments", n)
	}
	got, _ := reload(t, fsys)
	same(t, got, want)
}

// TestCrashAnywhere cuts the power after each operation of a history, and loads what is left in several ways: what
// Wait promised is there, in order, and nothing else than what was appended.
func TestCrashAnywhere(t *testing.T) {
	const records = 24
	run := func(fsys *vfs.Mem, o Options, rng *rand.Rand) (appended []string, promised int) {
		l, _, err := Open(fsys, testDir, o, func(Record) error { return nil })
		if err != nil {
			return nil, 0
		}
		for i := range records {
			value := fmt.Sprint(i)
			switch rng.IntN(4) {
			case 0:
				value += strings.Repeat(" word", 1500)
			case 1:
				value += strings.Repeat("x", rng.IntN(900))
			}
			r := set("k", value)
			lsn := l.Append(r)
			appended = append(appended, text(*r))
			if rng.IntN(2) == 0 {
				if l.Wait(lsn) == nil && o.Fsync == Always {
					promised = len(appended)
				}
			}
			if i == 12 && rng.IntN(2) == 0 {
				state := slices.Clone(appended)
				blocks := rng.IntN(2) == 0
				_ = l.RewriteAt(context.Background(), func(mark func()) { mark() }, func(b *Base) error {
					for _, s := range state {
						r := set("k", strings.TrimPrefix(s, "3:SET k "))
						var err error
						if blocks {
							err = b.Block(r.Seq, r.At, AppendCommand(nil, r.Commands[0].DB, r.Commands[0].Args...))
						} else {
							err = b.Add(*r)
						}
						if err != nil {
							return err
						}
					}
					return nil
				})
			}
		}
		if l.Close() == nil {
			promised = len(appended)
		}
		return appended, promised
	}
	crashes, torn := 0, 0
	for seed := range uint64(12) {
		o := Options{Fsync: []Policy{Always, Always, Everysec, No}[seed%4], SegmentSize: 3000}
		quiet := vfs.NewMem()
		run(quiet, o, rand.New(rand.NewPCG(seed, 1)))
		for n := range quiet.Ops() + 5 {
			fsys := vfs.NewMem()
			fsys.Inject(vfs.CutAfter(n))
			appended, promised := run(fsys, o, rand.New(rand.NewPCG(seed, 1)))
			for again := range uint64(4) {
				disk := fsys.CrashClone(rand.New(rand.NewPCG(again, uint64(n))))
				var got []string
				l, rep, err := Open(disk, testDir, Options{}, collect(&got))
				if err != nil {
					t.Fatalf("seed %d, cut after %d (%d): %v", seed, n, again, err)
				}
				crashes++
				if rep.Torn != nil {
					torn++
				}
				if len(got) < promised || len(got) > len(appended) || !slices.Equal(got, appended[:len(got)]) {
					t.Fatalf("seed %d, cut after %d (%d): %d loaded, %d promised, %d appended", seed, n, again, len(got), promised, len(appended))
				}
				// And it goes on from there, a second power cut included.
				check(t, l.Wait(l.Append(set("after", "the crash"))))
				check(t, l.Close())
				twice, rep := reload(t, disk.CrashClone(rand.New(rand.NewPCG(again, 7))))
				same(t, twice, append(slices.Clone(got), "3:SET after the crash"))
				if rep.Torn != nil {
					t.Fatalf("torn after Close: %+v", rep.Torn)
				}
			}
		}
	}
	t.Logf("%d crashes, %d torn ends", crashes, torn)
	if torn == 0 {
		t.Fatal("no crash tore a record")
	}
}

// oneSegment writes records, each durable before the next, and returns the file, with no final mark.
func oneSegment(t *testing.T, fsys *vfs.Mem, n int) (name string, want []string) {
	t.Helper()
	l, _, _ := mustOpen(t, fsys, Options{Fsync: Always})
	for i := range n {
		r := set("key", strings.Repeat(fmt.Sprint(i), 20))
		want = append(want, text(*r))
		check(t, l.Wait(l.Append(r)))
	}
	fsys.Inject(vfs.CutAfter(0)) // the process dies here
	_ = l.Close()
	fsys.Inject(nil)
	return filepath.Join(testDir, segmentFiles(t, fsys)[0]), want
}

func readAll(t *testing.T, fsys vfs.FS, name string) []byte {
	t.Helper()
	f, err := fsys.Open(name)
	check(t, err)
	defer f.Close()
	b, err := io.ReadAll(f)
	check(t, err)
	return b
}

// with returns a file system like fsys in which one file has other bytes.
func with(t *testing.T, fsys *vfs.Mem, name string, b []byte) *vfs.Mem {
	t.Helper()
	c := fsys.CrashClone(rand.New(rand.NewPCG(0, 0)))
	check(t, writeFile(c, name, b))
	return c
}

func synced(t *testing.T, fsys *vfs.Mem, names ...string) {
	t.Helper()
	for _, n := range names {
		f, err := fsys.OpenAppend(n)
		check(t, err)
		check(t, f.Sync())
		check(t, f.Close())
	}
	check(t, fsys.SyncDir(testDir))
}

func TestTornAtEveryByteOfTheLastRecord(t *testing.T) {
	fsys := vfs.NewMem()
	name, want := oneSegment(t, fsys, 5)
	whole := readAll(t, fsys, name)
	synced(t, fsys, name)
	// The last record begins behind the fourth, whose end is found by loading ever less.
	last := 0
	for cut := len(whole) - 1; cut >= headerSize; cut-- {
		c := with(t, fsys, name, whole[:cut])
		var got []string
		l, rep, err := Open(c, testDir, Options{Now: func() time.Time { return time.Unix(0, 0) }}, collect(&got))
		check(t, err)
		check(t, l.Close())
		if len(got) < 4 {
			last = cut
			break
		}
		same(t, got, want[:4])
		if rep.Torn != nil {
			tail := readAll(t, c, name+".torn-19700101T000000Z")
			if !bytes.Equal(tail, whole[rep.Torn.Offset:cut]) || rep.Torn.Size != int64(len(tail)) || rep.Torn.File != name {
				t.Fatalf("cut at %d: kept %d bytes, %+v", cut, len(tail), rep.Torn)
			}
		}
	}
	if last < headerSize || len(whole)-last < 60 {
		t.Fatalf("never reached the fourth record: %d of %d", last, len(whole))
	}
}

func TestFlippedByteIsRefusedWithFileAndOffset(t *testing.T) {
	fsys := vfs.NewMem()
	name, want := oneSegment(t, fsys, 6)
	whole := readAll(t, fsys, name)
	synced(t, fsys, name)
	cut := 0
	for i := range whole {
		b := slices.Clone(whole)
		b[i] ^= 0x10
		c := with(t, fsys, name, b)
		var got []string
		l, rep, err := Open(c, testDir, Options{}, collect(&got))
		if err == nil {
			// Only in what nothing says was on disk: the last record, and the mark before it.
			check(t, l.Close())
			if len(got) < 5 || rep.Torn == nil {
				t.Fatalf("byte %d: %d records loaded, %+v", i, len(got), rep)
			}
			same(t, got, want[:5])
			cut++
			continue
		}
		bad, ok := errors.AsType[*CorruptError](err)
		if !ok || bad.File != name || bad.Offset > int64(i) || int64(i)-bad.Offset > 200 {
			t.Fatalf("byte %d: %v", i, err)
		}
		if now := readAll(t, c, name); !bytes.Equal(now, b) {
			t.Fatal("a refused file was changed")
		}
	}
	if cut == 0 || cut > 300 {
		t.Fatalf("%d bytes could be torn", cut)
	}
}

func TestFlippedByteAfterCleanCloseIsRefused(t *testing.T) {
	fsys := vfs.NewMem()
	l, _, _ := mustOpen(t, fsys, Options{Fsync: No, SegmentSize: 1000})
	for i := range 30 {
		l.Append(set("key", strings.Repeat(fmt.Sprint(i), 20)))
		check(t, l.Flush())
	}
	check(t, l.Close())
	refused := 0
	for _, n := range segmentFiles(t, fsys) {
		name := filepath.Join(testDir, n)
		whole := readAll(t, fsys, name)
		for i := range whole {
			b := slices.Clone(whole)
			b[i] ^= 1
			l, rep, err := Open(with(t, fsys, name, b), testDir, Options{}, func(Record) error { return nil })
			if err == nil {
				check(t, l.Close())
				if rep.Records != 30 {
					t.Fatalf("%s byte %d: %d records", n, i, rep.Records)
				}
				continue // the final mark
			}
			if !strings.Contains(err.Error(), n) {
				t.Fatalf("%s byte %d: %v", n, i, err)
			}
			refused++
		}
		if n == segmentFiles(t, fsys)[len(segmentFiles(t, fsys))-1] {
			continue
		}
		if _, _, err := Open(with(t, fsys, name, whole[:len(whole)-1]), testDir, Options{}, func(Record) error { return nil }); err == nil {
			t.Fatalf("%s: a short segment in the middle was loaded", n)
		}
	}
	if refused < 1000 {
		t.Fatal(refused)
	}
}

func TestMissingFilesAreRefused(t *testing.T) {
	fsys := vfs.NewMem()
	l, _, _ := mustOpen(t, fsys, Options{Fsync: Always, SegmentSize: 500})
	for range 30 {
		check(t, l.Wait(l.Append(set("k", "v"))))
	}
	check(t, l.Close())
	for _, n := range append(segmentFiles(t, fsys), manifestName) {
		c := fsys.CrashClone(rand.New(rand.NewPCG(0, 0)))
		check(t, c.Remove(filepath.Join(testDir, n)))
		if _, _, err := Open(c, testDir, Options{}, func(Record) error { return nil }); err == nil || !strings.Contains(err.Error(), n) {
			t.Fatalf("without %s: %v", n, err)
		}
	}
}

// TestFailingOperationsLoseNothing fails each write, sync, create and rename once: what Wait promised survives a power
// cut, and the log goes on.
func TestFailingOperationsLoseNothing(t *testing.T) {
	for _, kind := range []vfs.Kind{vfs.OpWrite, vfs.OpSync, vfs.OpCreate, vfs.OpRename, vfs.OpSyncDir} {
		for _, times := range []int{1, 3} {
			for nth := 1; ; nth++ {
				struck := false
				synctest.Test(t, func(t *testing.T) {
					fsys := vfs.NewMem()
					l, _, _ := mustOpen(t, fsys, Options{Fsync: Always, SegmentSize: 250})
					seen := 0
					fsys.Inject(func(op vfs.Op) error {
						if op.Kind != kind {
							return nil
						}
						if seen++; seen >= nth && seen < nth+times {
							struck = true
							if kind == vfs.OpWrite {
								return &vfs.ShortWrite{Written: op.Size / 2, Err: syscall.EIO}
							}
							return syscall.EIO
						}
						return nil
					})
					var all []string
					for i := range 20 {
						r := set("k", fmt.Sprint(i))
						all = append(all, text(*r))
						lsn := l.Append(r)
						for l.Wait(lsn) != nil {
							if l.Err() == nil {
								continue
							}
							time.Sleep(time.Second) // the log tries again
						}
						got, rep := reload(t, fsys.CrashClone(rand.New(rand.NewPCG(uint64(i), 5))))
						if !slices.Equal(got, all) {
							t.Fatalf("%s %d x%d: after record %d, %d are on disk, %+v", kind, nth, times, i, len(got), rep)
						}
					}
					if err := l.Err(); err != nil {
						t.Fatalf("%s %d: %v", kind, nth, err)
					}
					if err := l.Close(); err != nil {
						return // the fault fell on the last operations
					}
					fsys.Inject(nil)
					got, _ := reload(t, fsys)
					same(t, got, all)
				})
				if !struck {
					if nth < 4 {
						t.Fatalf("%s: only %d struck", kind, nth)
					}
					break
				}
			}
		}
	}
}

func TestFullDiskRefusesAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := vfs.NewMem()
		l, _, _ := mustOpen(t, fsys, Options{Fsync: Always})
		var all []string
		add := func(i int) error {
			r := set("k", fmt.Sprint(i)+strings.Repeat("x", 100))
			all = append(all, text(*r))
			return l.Wait(l.Append(r))
		}
		for i := range 10 {
			check(t, add(i))
		}
		fsys.SetCapacity(l.Size() + 150)
		i := 10
		for ; l.Err() == nil; i++ {
			if err := add(i); err != nil && !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
		}
		if i > 20 {
			t.Fatalf("%d records on a full disk", i)
		}
		check(t, func() error {
			if err := l.Wait(l.Appended()); !errors.Is(err, syscall.ENOSPC) {
				return fmt.Errorf("Wait on a full disk: %w", err)
			}
			return nil
		}())
		time.Sleep(time.Minute)
		if n := len(segmentFiles(t, fsys)); n > 2 {
			t.Fatalf("%d files: trying again fills the disk", n)
		}
		fsys.SetCapacity(0)
		time.Sleep(lastRetry)
		check(t, l.Err())
		check(t, l.Wait(l.Appended()))
		check(t, add(i))
		got, _ := reload(t, fsys.CrashClone(rand.New(rand.NewPCG(1, 1))))
		same(t, got, all)
		check(t, l.Close())
	})
}

// TestLostRecordsNeedARewrite: under the policy No nothing is held in memory, and so a failed sync leaves a gap.
func TestLostRecordsNeedARewrite(t *testing.T) {
	fsys := vfs.NewMem()
	l, _, _ := mustOpen(t, fsys, Options{Fsync: No})
	l.Append(set("a", "1"))
	check(t, l.Flush())
	l.Append(set("b", "2"))
	fsys.Inject(vfs.FailKind(vfs.OpSync, 1, syscall.EIO))
	if err := l.Flush(); !errors.Is(err, ErrNeedsRewrite) || !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	fsys.Inject(nil)
	l.Append(set("lost", "x"))
	if err := l.Flush(); !errors.Is(err, ErrNeedsRewrite) {
		t.Fatal(err)
	}
	emit := func(w func(Record) error) error {
		l.Append(set("during", "3"))
		return errors.Join(w(*set("a", "1")), w(*set("b", "2")))
	}
	fsys.Inject(vfs.FailKind(vfs.OpRename, 1, syscall.EIO))
	if err := l.Rewrite(t.Context(), emit); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	fsys.Inject(nil)
	if err := l.Err(); !errors.Is(err, ErrNeedsRewrite) {
		t.Fatal(err)
	}
	check(t, l.Rewrite(t.Context(), emit))
	check(t, l.Err())
	l.Append(set("c", "4"))
	check(t, l.Close())
	got, rep := reload(t, fsys.CrashClone(rand.New(rand.NewPCG(1, 1))))
	same(t, got, []string{"3:SET a 1", "3:SET b 2", "3:SET during 3", "3:SET c 4"})
	if n := len(segmentFiles(t, fsys)); n != 2 {
		t.Fatalf("%d files, %+v", n, rep)
	}
}

// TestMoreThanIsKeptUnderEverysec: between two syncs more is written than is held in memory. A write that fails loses
// nothing of it, as the file is synced then; a sync that fails needs a rewrite. What waits is counted until it is on
// disk, and is forgotten then.
func TestMoreThanIsKeptUnderEverysec(t *testing.T) {
	fill := func(l *Log, from int) (all []string) {
		for i := range 2 * keptMost / (3 << 10) {
			r := set("k", fmt.Sprint(from+i)+strings.Repeat("x", 3<<10)) // not compressed
			all = append(all, text(*r))
			l.Append(r)
			time.Sleep(50 * time.Microsecond) // not all at once: chunks are handed over as they are under load
		}
		time.Sleep(2 * linger)
		return all
	}
	run := func(name string, f func(t *testing.T, fsys *vfs.Mem, l *Log)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fsys := vfs.NewMem()
				l, _, _ := mustOpen(t, fsys, Options{})
				f(t, fsys, l)
				check(t, l.Close())
			})
		})
	}
	run("write", func(t *testing.T, fsys *vfs.Mem, l *Log) {
		all := fill(l, 0)
		if n := l.Stats().Durable; n != 0 {
			t.Fatalf("%d records are on disk already", n)
		}
		fsys.Inject(vfs.FailKind(vfs.OpWrite, 1, syscall.ENOSPC))
		all = append(all, fill(l, 10_000)...)
		check(t, l.Err())
		if n := l.Stats().Failures; n != 1 {
			t.Fatalf("%d failures", n)
		}
		check(t, l.Flush())
		if n := l.Stats().Backlog; n != 0 {
			t.Fatalf("%d bytes wait for a disk that has all", n)
		}
		got, _ := reload(t, fsys.CrashClone(rand.New(rand.NewPCG(1, 1))))
		same(t, got, all)
	})
	run("sync", func(t *testing.T, fsys *vfs.Mem, l *Log) {
		fill(l, 0)
		if n := l.Stats().Backlog; n < 2*keptMost-1<<20 {
			t.Fatalf("%d bytes wait for the disk", n)
		}
		fsys.Inject(vfs.FailKind(vfs.OpSync, 1, syscall.EIO))
		time.Sleep(1100 * time.Millisecond)
		if err := l.Err(); !errors.Is(err, ErrNeedsRewrite) {
			t.Fatal(err)
		}
		if n := l.Stats().Backlog; n != 0 {
			t.Fatalf("%d bytes of what is lost are counted", n)
		}
		check(t, l.Rewrite(t.Context(), func(w func(Record) error) error { return w(*set("k", "state")) }))
		check(t, l.Err())
		l.Append(set("k", "few")) // are held again
		time.Sleep(2 * linger)
		fsys.Inject(vfs.FailKind(vfs.OpSync, 1, syscall.EIO))
		time.Sleep(1100 * time.Millisecond)
		check(t, l.Err())
		check(t, l.Flush())
		got, _ := reload(t, fsys.CrashClone(rand.New(rand.NewPCG(1, 1))))
		same(t, got, []string{"3:SET k state", "3:SET k few"})
	})
}

func TestRecordThatIsTooLargeFailsTheLog(t *testing.T) {
	l, _, _ := mustOpen(t, vfs.NewMem(), Options{})
	big := make([]byte, 1<<20)
	r := &Record{Commands: []Command{{Args: slices.Repeat([][]byte{big}, MaxRecord>>20+1)}}} // one array, many times
	if r.Size() <= MaxRecord {
		t.Fatal(r.Size())
	}
	l.Append(r)
	if err := l.Flush(); !errors.Is(err, ErrNeedsRewrite) {
		t.Fatal(err)
	}
	check(t, l.Rewrite(t.Context(), func(func(Record) error) error { return nil }))
	check(t, l.Err())
	check(t, l.Close())
}

// TestCrashWhileALogBegins cuts the power at every operation while a log that was detached begins again: the folder has
// what the log had, or all of the new base and what came behind it, and nothing between.
func TestCrashWhileALogBegins(t *testing.T) {
	before := []string{"3:SET k 0", "3:SET k 1"}
	behind := []string{"3:SET base 1", "3:SET base 2", "3:SET a 1", "3:SET b 1"}
	ends := map[string]int{}
	for n := 0; ends["whole"] == 0; n++ {
		fsys := vfs.NewMem()
		l, _, _ := mustOpen(t, fsys, Options{Fsync: Always, SegmentSize: 100})
		l.Append(set("k", "0"))
		check(t, l.Wait(l.Append(set("k", "1"))))
		fsys.Inject(vfs.CutAfter(n))
		check(t, l.Detach())
		durable := false
		err := l.RewriteAt(t.Context(), func(mark func()) {
			mark()
			l.Append(set("a", "1"))
		}, func(b *Base) error {
			durable = l.Durable() > 2 || !l.Detached() // of what is named by nothing
			return errors.Join(b.Add(*set("base", "1")), b.Add(*set("base", "2")))
		})
		if durable {
			t.Fatalf("cut %d: durable before the base is whole", n)
		}
		promised := err == nil && l.Wait(l.Append(set("b", "1"))) == nil
		fsys.Inject(nil)
		got, _ := reload(t, fsys.CrashClone(rand.New(rand.NewPCG(uint64(n), 9))))
		switch {
		case promised:
			same(t, got, behind)
			if l.Detached() || l.Durable() != l.Appended() {
				t.Fatalf("cut %d: detached %t, %d of %d", n, l.Detached(), l.Durable(), l.Appended())
			}
			ends["promised"]++
		case len(got) > 2:
			same(t, got, behind[:len(got)])
		default:
			same(t, got, before)
			ends["before"]++
		}
		if cerr := l.Close(); promised && cerr == nil && n > 60 {
			ends["whole"]++
		}
	}
	if ends["before"] < 5 || ends["promised"] == 0 {
		t.Fatal(ends)
	}
}

func TestEverysecSyncsEachSecondAndWritesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := vfs.NewMem()
		l, _, _ := mustOpen(t, fsys, Options{})
		time.Sleep(100 * time.Millisecond)
		before := l.Size()
		lsn := l.Append(set("k", "v"))
		check(t, l.Wait(lsn)) // does not wait
		time.Sleep(5 * time.Millisecond)
		if l.Size() == before {
			t.Fatal("not handed to the system within 5 ms")
		}
		if l.Stats().Durable == lsn {
			t.Fatal("durable before a second is over")
		}
		time.Sleep(time.Second)
		if l.Stats().Durable != lsn {
			t.Fatal("not durable after a second")
		}
		got, _ := reload(t, fsys.CrashClone(rand.New(rand.NewPCG(1, 1))))
		same(t, got, []string{"3:SET k v"})

		syncs := l.Stats().Syncs
		time.Sleep(10 * time.Second)
		if n := l.Stats().Syncs; n != syncs {
			t.Fatalf("%d syncs of nothing", n-syncs)
		}
		l.SetFsync(No)
		l.Append(set("k", "w"))
		time.Sleep(10 * time.Second)
		if n := l.Stats().Syncs; n != syncs {
			t.Fatalf("%d syncs under No", n-syncs)
		}
		l.SetFsync(Always)
		if l.Stats().Durable != l.Appended() {
			t.Fatal("the change to Always did not sync")
		}
		check(t, l.Close())
	})
}

// TestEverysecLosesASecondAtMost cuts the power at random operations under everysec, while records come and the log is
// rewritten: what is 1.2 s old by then is there. NEARCACHE_CUTS says how often.
func TestEverysecLosesASecondAtMost(t *testing.T) {
	cuts := 100
	if n, err := strconv.Atoi(os.Getenv("NEARCACHE_CUTS")); err == nil {
		cuts = n
	}
	lost := 0
	for seed := range uint64(cuts) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 12))
			fsys := vfs.NewMem()
			l, _, _ := mustOpen(t, fsys, Options{SegmentSize: 2000 + rng.Int64N(4000)})
			var cutAt atomic.Int64 // Unix ns
			cut := vfs.CutAfter(rng.IntN(60))
			fsys.Inject(func(op vfs.Op) error {
				err := cut(op)
				if err != nil {
					cutAt.CompareAndSwap(0, time.Now().UnixNano())
				}
				return err
			})
			var appended []string
			var at []int64
			for n := 0; n < 80 && cutAt.Load() == 0; n++ {
				r := set("k", fmt.Sprint(n, strings.Repeat(" word", rng.IntN(300))))
				l.Append(r)
				appended, at = append(appended, text(*r)), append(at, time.Now().UnixNano())
				if rng.IntN(20) == 0 {
					state := slices.Clone(appended)
					_ = l.RewriteAt(t.Context(), func(mark func()) { mark() }, func(b *Base) error {
						for _, s := range state {
							if err := b.Add(*set("k", strings.TrimPrefix(s, "3:SET k "))); err != nil {
								return err
							}
						}
						return nil
					})
				}
				time.Sleep(time.Duration(rng.IntN(400)) * time.Millisecond)
			}
			cutAt.CompareAndSwap(0, time.Now().UnixNano())
			disk := fsys.CrashClone(rng)
			_ = l.Close()
			got, _ := reload(t, disk)
			if len(got) > len(appended) || !slices.Equal(got, appended[:len(got)]) {
				t.Fatalf("seed %d: %d loaded of %d", seed, len(got), len(appended))
			}
			if n := len(got); n < len(at) {
				lost++
				if age := time.Duration(cutAt.Load() - at[n]); age > 1200*time.Millisecond {
					t.Fatalf("seed %d: a record is lost that was %v old", seed, age)
				}
			}
		})
	}
	if lost == 0 {
		t.Error("no cut has lost anything")
	}
}

// TestWhatOpenReadIsDurable: the process dies and the machine does not, so that the next process reads what no disk has.
func TestWhatOpenReadIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := vfs.NewMem()
		l, _, _ := mustOpen(t, fsys, Options{Fsync: No})
		for i := range 10 {
			l.Append(set("k", fmt.Sprint(i)))
		}
		time.Sleep(10 * time.Millisecond)
		fsys.Inject(vfs.CutAfter(0)) // for the old process only
		if l.Close() == nil {
			t.Fatal("a dead process closed its log")
		}
		fsys.Inject(nil)
		l, got, _ := mustOpen(t, fsys, Options{Fsync: Always})
		if len(got) != 10 {
			t.Fatal(got)
		}
		check(t, l.Wait(l.Appended()))
		for seed := range uint64(20) {
			after, _ := reload(t, fsys.CrashClone(rand.New(rand.NewPCG(seed, 1))))
			same(t, after, got)
		}
		check(t, l.Close())
	})
}

func TestThrottleWaitsForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := vfs.NewMem()
		l, _, _ := mustOpen(t, fsys, Options{MaxBacklog: 10_000})
		gate := make(chan struct{})
		var slow atomic.Bool
		slow.Store(true)
		fsys.Inject(func(op vfs.Op) error {
			if op.Kind == vfs.OpWrite && slow.Load() {
				<-gate
			}
			return nil
		})
		for range 3 {
			l.Append(set("k", strings.Repeat("x", 5000)))
		}
		time.Sleep(time.Second) // what is handed over is the backlog
		passed := make(chan struct{})
		go func() { l.Throttle(); close(passed) }()
		time.Sleep(time.Minute)
		select {
		case <-passed:
			t.Fatal("passed a full backlog")
		default:
		}
		slow.Store(false)
		close(gate)
		<-passed
		l.Throttle()
		check(t, l.Close())
	})
}

// A value as large as the whole backlog, on a disk that takes its time: the next writer goes on.
func TestOneLargeRecordDoesNotThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := vfs.NewMem()
		l, _, _ := mustOpen(t, fsys, Options{MaxBacklog: 1 << 20})
		gate := make(chan struct{})
		fsys.Inject(func(op vfs.Op) error {
			if op.Kind == vfs.OpWrite {
				<-gate
			}
			return nil
		})
		large := set("k", strings.Repeat("x", 1<<20))
		l.Append(large)
		if l.Full() {
			t.Error("one record fills the backlog")
		}
		l.Append(large)
		l.Append(large)
		if !l.Full() {
			t.Error("three records leave room")
		}
		close(gate)
		check(t, l.Close())
	})
}

func TestRewriteKeepsWhatIsAppendedMeanwhile(t *testing.T) {
	fsys := vfs.NewMem()
	l, _, _ := mustOpen(t, fsys, Options{Fsync: Always, SegmentSize: 2000})
	for i := range 200 {
		l.Append(set("old", strings.Repeat(fmt.Sprint(i), 20)))
	}
	check(t, l.Wait(l.Appended()))
	before := l.Size()
	var marked uint64
	err := l.RewriteAt(t.Context(), func(mark func()) {
		mark()
		marked = l.Appended()
		l.Append(set("after the mark", ""))
	}, func(b *Base) error {
		w := b.Add
		if err := l.Rewrite(t.Context(), nil); !errors.Is(err, ErrRewriteRunning) {
			t.Errorf("two at once: %v", err)
		}
		for i := range 100 {
			if err := w(*set("base", fmt.Sprint(i))); err != nil {
				return err
			}
			l.Append(set("meanwhile", fmt.Sprint(i)))
		}
		return nil
	})
	check(t, err)
	if marked != 200 || l.Size() >= before || l.Stats().Rewrites != 1 || l.Stats().LastRewriteFail {
		t.Fatalf("%+v", l.Stats())
	}
	l.Append(set("end", ""))
	check(t, l.Close())
	want := []string{}
	for i := range 100 {
		want = append(want, fmt.Sprintf("3:SET base %d", i))
	}
	want = append(want, "3:SET after the mark ")
	for i := range 100 {
		want = append(want, fmt.Sprintf("3:SET meanwhile %d", i))
	}
	want = append(want, "3:SET end ")
	got, rep := reload(t, fsys)
	same(t, got, want)
	if rep.LastLSN != 302 || len(rep.Removed) != 0 {
		t.Fatalf("%+v", rep)
	}
	// A rewrite of nothing empties the log, and its numbers go on.
	l, _, _ = mustOpen(t, fsys, Options{})
	check(t, l.Rewrite(t.Context(), func(func(Record) error) error { return nil }))
	check(t, l.Close())
	got, rep = reload(t, fsys)
	same(t, got, nil)
	if rep.LastLSN != 302 {
		t.Fatalf("%+v", rep)
	}
}

func TestRewriteThatFailsChangesNothing(t *testing.T) {
	fsys := vfs.NewMem()
	l, _, _ := mustOpen(t, fsys, Options{Fsync: Always})
	check(t, l.Wait(l.Append(set("a", "1"))))
	boom := errors.New("boom")
	if err := l.Rewrite(t.Context(), func(w func(Record) error) error {
		return errors.Join(w(*set("x", "y")), boom)
	}); !errors.Is(err, boom) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := l.Rewrite(ctx, func(w func(Record) error) error {
		cancel()
		return w(*set("x", "y"))
	}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	check(t, l.Wait(l.Append(set("b", "2"))))
	noBase := func() {
		t.Helper()
		for _, n := range segmentFiles(t, fsys) {
			if strings.HasSuffix(n, ".base") {
				t.Fatalf("%s is left", n)
			}
		}
	}
	noBase()
	// Nor does it take room where the log itself fails for want of some.
	if err := l.Rewrite(t.Context(), func(w func(Record) error) error {
		err := w(*set("x", "y"))
		fsys.SetCapacity(1)
		_ = l.Wait(l.Append(set("c", "3")))
		return errors.Join(err, boom)
	}); !errors.Is(err, boom) {
		t.Fatal(err)
	}
	if l.Err() == nil {
		t.Fatal("the log goes on")
	}
	noBase()
	fsys.SetCapacity(0)
	check(t, l.Retry())
	check(t, l.Close())
	got, _ := reload(t, fsys)
	same(t, got, []string{"3:SET a 1", "3:SET b 2", "3:SET c 3"})
}

// TestAppendWaitRewriteRace: many sessions, each with a key whose values go up, rewrites, policy changes and power cuts
// between. At each cut no key is behind its last promise, and no value comes before an older one.
func TestAppendWaitRewriteRace(t *testing.T) {
	fsys := vfs.NewMem()
	l, _, _ := mustOpen(t, fsys, Options{Fsync: Always, SegmentSize: 20_000})
	const sessions = 8
	var promised [sessions]atomic.Int64
	var mu [sessions]sync.Mutex // the shards
	var value [sessions]int64
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for s := range sessions {
		wg.Go(func() {
			for i := int64(1); ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				l.Throttle()
				mu[s].Lock()
				value[s] = i
				lsn := l.Append(set(fmt.Sprint(s), fmt.Sprint(i)))
				mu[s].Unlock()
				if i%4 == 0 {
					if err := l.Wait(lsn); err != nil {
						t.Error(err)
						return
					}
					promised[s].Store(i)
				}
			}
		})
	}
	emit := func(w func(Record) error) error {
		for s := range sessions {
			mu[s].Lock()
			v := value[s]
			mu[s].Unlock()
			if err := w(*set(fmt.Sprint(s), fmt.Sprint(v))); err != nil {
				return err
			}
		}
		return nil
	}
	rng := rand.New(rand.NewPCG(11, 12))
	for range 40 {
		check(t, l.Rewrite(t.Context(), emit))
		var floor [sessions]int64
		for s := range sessions {
			floor[s] = promised[s].Load()
		}
		got, _ := reload(t, fsys.CrashClone(rng))
		var state [sessions]int64
		for _, g := range got {
			var s int
			var v int64
			if _, err := fmt.Sscanf(g, "3:SET %d %d", &s, &v); err != nil {
				t.Fatal(g)
			}
			state[s] = v
		}
		for s := range sessions {
			if state[s] < floor[s] {
				t.Fatalf("session %d: %d on disk, %d promised", s, state[s], floor[s])
			}
		}
	}
	close(stop)
	wg.Wait()
	check(t, l.Close())
}

func TestManifestThatIsDamagedIsRefused(t *testing.T) {
	good := string(appendManifest(nil, []segment{
		{num: 7, kind: kindBase, first: 1, size: 100},
		{num: 5, first: 9, size: 4000},
		{num: 8, first: 99, size: openEnd},
	}))
	if _, err := parseManifest(good); err != nil {
		t.Fatal(err)
	}
	for i := range len(good) {
		b := []byte(good)
		b[i] ^= 1
		if _, err := parseManifest(string(b)); err == nil {
			t.Errorf("byte %d of %q", i, b)
		}
		if _, err := parseManifest(good[:i]); err == nil {
			t.Errorf("cut at %d", i)
		}
	}
}

// baseOf is a folder whose base has n blocks of text, one of which is large, and the records of its log.
func baseOf(t testing.TB, n int) (fsys *vfs.Mem, want []string) {
	t.Helper()
	fsys = vfs.NewMem()
	l, _, _ := mustOpen(t, fsys, Options{Fsync: Always, SegmentSize: 2000})
	rnd := rand.New(rand.NewPCG(1, uint64(n)))
	check(t, l.RewriteAt(t.Context(), func(mark func()) { mark() }, func(b *Base) error {
		for i := range n {
			var block []byte
			said := ""
			for k := range 1 + i%3*40 {
				value := strings.Repeat(fmt.Sprint("text ", i, k, rnd.Uint32()), 1+i%4*20)
				if k == 0 && i == n/2 {
					value = strings.Repeat("large ", keepBuffer/5)
				}
				block = AppendCommand(block, 3, []byte("SET"), fmt.Append(nil, k), []byte(value))
				said += fmt.Sprintf("; 3:SET %d %s", k, value)
			}
			want = append(want, said[2:])
			if err := b.Block(7, 1, block); err != nil {
				return err
			}
			random := make([]byte, 1+i%3*30_000)
			for k := range random {
				random[k] = byte(rnd.Uint32())
			}
			r := set("random", string(random))
			want = append(want, text(*r))
			if err := b.Add(*r); err != nil {
				return err
			}
		}
		return nil
	}))
	for range 3 {
		l.Append(set("k", "v"))
		want = append(want, "3:SET k v")
	}
	check(t, l.Close())
	return fsys, want
}

// TestBlocksOfManyGoroutines: a base is written by several at once, and holds each block once.
func TestBlocksOfManyGoroutines(t *testing.T) {
	t.Parallel()
	fsys := vfs.NewMem()
	l, _, _ := mustOpen(t, fsys, Options{Fsync: Always, SegmentSize: 20_000})
	const writers, blocks = 4, 50
	check(t, l.RewriteAt(t.Context(), func(mark func()) { mark() }, func(b *Base) error {
		var wg sync.WaitGroup
		var errs [writers]error
		for w := range writers {
			wg.Go(func() {
				for i := range blocks {
					name := fmt.Sprint(w, " ", i)
					err := b.Add(*set("alone "+name, "v"))
					if err == nil {
						err = b.Block(7, 1, AppendCommand(nil, 3, []byte("SET"), []byte(name), []byte(strings.Repeat(name, 300+i*10))))
					}
					errs[w] = errors.Join(errs[w], err)
				}
			})
		}
		wg.Wait()
		return errors.Join(errs[:]...)
	}))
	check(t, l.Close())
	got := map[string]int{}
	l, _, err := Open(fsys, testDir, Options{}, func(r Record) error {
		for _, c := range r.Commands {
			if key, value := string(c.Args[1]), string(c.Args[2]); value != "v" && value != strings.Repeat(key, len(value)/len(key)) {
				t.Errorf("%s holds %.50q", key, value)
			}
			got[string(c.Args[1])]++
		}
		return nil
	})
	check(t, err)
	defer l.Close()
	for w := range writers {
		for i := range blocks {
			if name := fmt.Sprint(w, " ", i); got[name] != 1 || got["alone "+name] != 1 {
				t.Fatalf("%s: %d blocks, %d records", name, got[name], got["alone "+name])
			}
		}
	}
}

// TestBaseIsReadAhead: what is read ahead of the replay comes in order, and stays as it is while it is looked at.
func TestBaseIsReadAhead(t *testing.T) {
	fsys, want := baseOf(t, 60)
	var got []string
	l, rep, err := Open(fsys, testDir, Options{}, func(r Record) error {
		before := text(r)
		for range len(got) % 4 {
			runtime.Gosched()
		}
		if base := len(got) < len(want)-3; text(r) != before || base != (r.LSN == 0) {
			t.Errorf("record %d has changed while it was replayed, or has LSN %d", len(got), r.LSN)
		}
		got = append(got, before)
		return nil
	})
	check(t, err)
	same(t, got, want)
	if rep.Records != uint64(len(want)) || rep.Bytes != l.Size() || rep.Segments < 3 {
		t.Fatalf("%+v, %d bytes", rep, l.Size())
	}
	check(t, l.Close())
	// A replay that fails, as one that has been asked to end, ends the reading, wherever it is. TestMain finds
	// goroutines that are left.
	for i := range want {
		boom := errors.New("boom")
		n := 0
		_, rep, err := Open(fsys, testDir, Options{}, func(r Record) error {
			if n++; n > i {
				return boom
			}
			return nil
		})
		if !errors.Is(err, boom) || rep.Records != uint64(i+1) {
			t.Fatalf("%d: %v, %+v", i, err, rep)
		}
	}
}

// TestDamagedBaseIsRefusedAtItsOffset cuts a base off at each byte, and changes each: the records before come, then
// the error says which file and where.
func TestDamagedBaseIsRefusedAtItsOffset(t *testing.T) {
	fsys := vfs.NewMem()
	l, _, _ := mustOpen(t, fsys, Options{Fsync: Always})
	check(t, l.RewriteAt(t.Context(), func(mark func()) { mark() }, func(b *Base) error {
		for i := range 6 {
			block := AppendCommand(nil, 0, []byte("SET"), fmt.Append(nil, i), []byte(strings.Repeat("v", i*i*i*i*10)))
			if err := errors.Join(b.Block(1, 1, block), b.Add(*set("k", fmt.Sprint(i)))); err != nil {
				return err
			}
		}
		return nil
	}))
	check(t, l.Close())
	names := segmentFiles(t, fsys)
	i := slices.IndexFunc(names, func(n string) bool { return strings.HasSuffix(n, ".base") })
	name := filepath.Join(testDir, names[i])
	whole := readAll(t, fsys, name)
	// Where the frames begin.
	var starts []int64
	for sc := newScanner(bytes.NewReader(whole), name, int64(len(whole))); ; {
		if len(starts) == 0 {
			_, err := sc.header()
			check(t, err)
		}
		starts = append(starts, sc.off)
		if _, err := sc.next(); err != nil {
			break
		}
	}
	refused := func(b []byte, records int, offset int64) {
		t.Helper()
		c := with(t, fsys, name, b)
		var got []string
		_, _, err := Open(c, testDir, Options{}, collect(&got))
		bad, ok := errors.AsType[*CorruptError](err)
		if !ok || bad.File != name || bad.Offset != offset || len(got) != records {
			t.Fatalf("%d records, want %d; %v, want offset %d", len(got), records, err, offset)
		}
		if now := readAll(t, c, name); !bytes.Equal(now, b) {
			t.Fatal("a refused file was changed")
		}
		if rep, err := Check(c, testDir); err != nil || len(rep.Damage) == 0 {
			t.Fatalf("Check finds nothing: %+v, %v", rep, err)
		}
	}
	for at := range whole {
		refused(whole[:at], 0, int64(at)) // it is shorter than the manifest says
		b := slices.Clone(whole)
		b[at] ^= 0x10
		if at < headerSize {
			refused(b, 0, 0)
			continue
		}
		n, ok := slices.BinarySearch(starts, int64(at))
		if !ok {
			n--
		}
		refused(b, n, starts[n])
	}
	// A record that holds and says nonsense: not damage of the file, but its place is told.
	for _, x := range []struct {
		lsn  uint64
		typ  byte
		body string
		want string
	}{{3, typeCommit, "\x00\x00\x00", "malformed record"}, {3, 99, "", "record type 99: this program does not know it"}, {9, typeCommit, "", "record 9 where 3 was due"}, {3, typeMark, "", "still to come"}} {
		b := slices.Clone(whole[:starts[2]])
		at := len(b)
		b = binary.LittleEndian.AppendUint32(b, 0)
		b = binary.LittleEndian.AppendUint32(b, uint32(bodyHead+len(x.body)))
		b = binary.LittleEndian.AppendUint64(b, x.lsn)
		b = append(append(b, x.typ), x.body...)
		seed := seedOf(binary.LittleEndian.Uint64(whole[16:]))
		binary.LittleEndian.PutUint32(b[at:], crc32.Update(seed, castagnoli, b[at+4:]))
		b = append(b, whole[starts[3]:]...)
		b = append(b, make([]byte, max(0, len(whole)-len(b)))...)
		var got []string
		_, _, err := Open(with(t, fsys, name, b), testDir, Options{}, collect(&got))
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%s at %d: ", name, starts[2])) || !strings.Contains(err.Error(), x.want) || len(got) != 2 {
			t.Errorf("%+v: %v after %d records", x, err, len(got))
		}
	}
}

func FuzzDecode(f *testing.F) {
	var scratch []byte
	for _, r := range []*Record{set("k", "v"), set("", ""), set("k", strings.Repeat("ab", 10_000)), {Commands: []Command{{Args: [][]byte{[]byte("A")}}, {DB: 2, Args: [][]byte{[]byte("B"), {}}}}}} {
		b := finish(r.appendFrame(nil, 1), 0, true, &scratch)
		f.Add(b[frameMin:], b[16]&^typeCommit)
	}
	f.Add([]byte{0, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f}, byte(0))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f}, byte(flagS2))
	block := AppendCommand([]byte{7, 0, 2}, 1, []byte("SET"), []byte("k"), bytes.Repeat([]byte("text "), 2000))
	block = AppendCommand(block, 2, []byte("DEL"), []byte("k"))
	f.Add(packBlock(nil, block, 0), byte(flagZstd))
	f.Add(packBlock(nil, block, 0)[:20], byte(flagZstd))
	f.Fuzz(func(t *testing.T, payload []byte, flags byte) {
		flags &= flagS2 | flagZstd
		d := decoder{limit: 1 << 20}
		r, err := d.commit(payload, flags)
		if err != nil {
			return
		}
		again := r.appendFrame(nil, 1)
		if int64(len(again)) != r.Size() {
			t.Fatalf("%d bytes, Size says %d", len(again), r.Size())
		}
		if flags == 0 && !bytes.Equal(again[frameMin:], payload) {
			t.Fatalf("%x became %x", payload, again[frameMin:])
		}
	})
}

// FuzzOpen loads a folder whose log file is arbitrary behind a good header.
func FuzzOpen(f *testing.F) {
	frames := func(recs ...*Record) []byte {
		var b, scratch []byte
		for i, r := range recs {
			b = r.appendFrame(b, uint64(i+1))
		}
		return finish(b, seedOf(0), true, &scratch)
	}
	two := frames(set("a", "b"), set("c", strings.Repeat("d", 5000)))
	mark := make([]byte, markSize)
	putMark(mark, 2, seedOf(0))
	f.Add(two)
	f.Add(append(two[:len(two):len(two)], mark...))
	f.Add(append(append(two[:len(two)-1:len(two)-1], 0), mark...))
	f.Add(two[:len(two)-3])
	f.Add(make([]byte, 40))
	f.Fuzz(func(t *testing.T, body []byte) {
		fsys := vfs.NewMem()
		check(t, fsys.MkdirAll(testDir))
		s := segment{num: 1, first: 1, size: openEnd}
		check(t, writeFile(fsys, filepath.Join(testDir, s.name()), append(s.appendHeader(nil, 0), body...)))
		check(t, writeManifest(fsys, testDir, []segment{s}))
		var got []string
		l, _, err := Open(fsys, testDir, Options{}, collect(&got))
		if err != nil {
			return
		}
		l.Append(set("more", ""))
		check(t, l.Close())
		again, rep := reload(t, fsys)
		same(t, again, append(got, "3:SET more "))
		if rep.Torn != nil {
			t.Fatalf("torn twice: %+v", rep.Torn)
		}
	})
}

// FuzzOpenBase loads a folder whose base is arbitrary behind a good header: what is read ahead must be what is there.
func FuzzOpenBase(f *testing.F) {
	frames := func(recs ...*Record) []byte {
		var b, scratch []byte
		for i, r := range recs {
			b = r.appendFrame(b, uint64(i+1))
		}
		return finish(b, seedOf(0), true, &scratch)
	}
	some := frames(set("a", "b"), set("c", strings.Repeat("d", 5000)), set("e", ""), set("f", "g"), set("h", ""))
	mark := make([]byte, markSize)
	putMark(mark, 2, seedOf(0))
	f.Add(some)
	f.Add(append(some[:len(some):len(some)], mark...))
	f.Add(some[:len(some)-3])
	f.Add(some[1:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		fsys := vfs.NewMem()
		check(t, fsys.MkdirAll(testDir))
		base := segment{num: 1, kind: kindBase, first: 1, size: int64(headerSize + len(body))}
		file := append(base.appendHeader(nil, 0), body...)
		check(t, writeFile(fsys, filepath.Join(testDir, base.name()), file))
		log := segment{num: 2, first: 1, size: openEnd}
		check(t, writeFile(fsys, filepath.Join(testDir, log.name()), log.appendHeader(nil, 0)))
		check(t, writeManifest(fsys, testDir, []segment{base, log}))
		var want []string
		sc := newScanner(bytes.NewReader(file), "", base.size)
		_, err := sc.header()
		check(t, err)
		whole := false
		for d := (decoder{limit: MaxRecord}); ; {
			fr, err := sc.next()
			if whole = err == io.EOF; err != nil || fr.lsn != uint64(len(want)+1) || fr.typ&^(flagS2|flagZstd) != typeCommit {
				break
			}
			r, err := d.commit(fr.payload, fr.typ&^typeCommit)
			if err != nil {
				break
			}
			want = append(want, text(r))
		}
		var got []string
		l, _, err := Open(fsys, testDir, Options{}, collect(&got))
		if (err == nil) != whole {
			t.Fatalf("%v after %d records; %t", err, len(got), whole)
		}
		if err == nil {
			check(t, l.Close())
		}
		same(t, got, want)
	})
}
