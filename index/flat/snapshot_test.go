package flat

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/indextest"
	"github.com/nearcache/nearcache/index/slot"
	"github.com/nearcache/nearcache/index/snapshot/snapshottest"
)

// grown is an index with removed and replaced vectors.
func grown(t testing.TB, p index.Params, n int) *Index {
	t.Helper()
	x, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	v := indextest.Fit(p.Element, indextest.Vectors(7, n, p.Dim))
	for i := range v {
		if err := x.Add(index.Label(i*50), 1, indextest.Blob(p.Element, v[i])); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n / 10 {
		x.Remove(index.Label(3*i*50), 2)
		if err := x.Add(index.Label((3*i+1)*50), 3, indextest.Blob(p.Element, v[i])); err != nil {
			t.Fatal(err)
		}
	}
	return x
}

func saved(t testing.TB, x *Index) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := x.Save(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// restored is the index by Load and by Open of a file.
func restored(t testing.TB, b []byte, p index.Params) map[string]*Index {
	t.Helper()
	l, err := Load(bytes.NewReader(b), p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	name := filepath.Join(t.TempDir(), "flat")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	o, err := Open(f, int64(len(b)), p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return map[string]*Index{"Load": l, "Open": o}
}

func TestLoadedIndexAnswersAndGoesOnAsTheSavedOne(t *testing.T) {
	for e := range index.Uint8 + 1 {
		for _, m := range []index.Metric{index.L2, index.IP, index.Cosine} {
			t.Run(fmt.Sprintf("%v/%v", e, m), func(t *testing.T) {
				t.Parallel()
				p := index.Params{Dim: 70, Element: e, Metric: m}
				x := grown(t, p, 900)
				file := saved(t, x)
				for name, y := range restored(t, file, p) {
					if err := y.Validate(); err != nil || y.Len() != x.Len() {
						t.Fatalf("%s: %d of %d: %v", name, y.Len(), x.Len(), err)
					}
					if again := saved(t, y); !bytes.Equal(again, file) {
						t.Fatalf("%s: saved again, it is another file", name)
					}
					for _, v := range indextest.Fit(e, indextest.Vectors(8, 20, p.Dim)) {
						q := indextest.Blob(e, v)
						want, err := x.Search(nil, q, 10, index.SearchOptions{})
						if err != nil {
							t.Fatal(err)
						}
						if got, err := y.Search(nil, q, 10, index.SearchOptions{}); err != nil || !slices.Equal(got, want) {
							t.Fatalf("%s: found %v, want %v: %v", name, got, want, err)
						}
					}
					if y.Remove(0, 2) || y.Remove(50, 3) {
						t.Fatalf("%s: an older version removes", name)
					}
					r := rand.New(rand.NewPCG(1, 2))
					for i := range 500 {
						l := index.Label(r.IntN(2000) * 50)
						if i%3 == 0 {
							y.Remove(l, uint64(10+i))
						} else if err := y.Add(l, uint64(10+i), indextest.Blob(e, indextest.Fit(e, indextest.Vectors(uint64(i), 1, p.Dim))[0])); err != nil {
							t.Fatal(err)
						}
					}
					if err := y.Validate(); err != nil {
						t.Fatalf("%s, changed: %v", name, err)
					}
				}
			})
		}
	}
}

func TestEmptyIndexIsSaved(t *testing.T) {
	p := index.Params{Dim: 3}
	x, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	v := indextest.Blob(index.Float32, []float64{1, 2, 3})
	for range 2 {
		for name, y := range restored(t, saved(t, x), p) {
			if err := y.Add(1, 1, v); err != nil || y.Len() != x.Len()+1-int(x.labels.Version(1)/7) {
				t.Fatalf("%s: %d %v", name, y.Len(), err)
			}
		}
		x.Add(1, 5, v)
		x.Remove(1, 6)
	}
}

func TestSaveWhileWriting(t *testing.T) {
	p := index.Params{Dim: 4, Metric: index.L2}
	x, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	const labels = 60
	vector := func(l, version int) []byte {
		return indextest.Blob(p.Element, []float64{float64(l), float64(version), 0, 0})
	}
	var begun, done [labels]atomic.Int64
	var stop atomic.Bool
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				l := (3*i + w) % labels
				version := int(begun[l].Add(1))
				if version%5 == 0 {
					x.Remove(index.Label(l), uint64(version))
				} else if err := x.Add(index.Label(l), uint64(version), vector(l, version)); err != nil {
					t.Error(err)
				}
				done[l].Store(int64(version))
			}
		})
	}
	for range 20 {
		var low [labels]int64
		for l := range low {
			low[l] = done[l].Load()
		}
		y, err := Load(bytes.NewReader(saved(t, x)), p)
		if err != nil {
			t.Fatal(err)
		}
		if err := y.Validate(); err != nil {
			t.Fatal(err)
		}
		for l := range labels {
			last := max(int64(y.labels.Version(index.Label(l)))-1, 0)
			if last < low[l] || last > begun[l].Load() {
				t.Fatalf("label %d has version %d, acknowledged was %d", l, last, low[l])
			}
			s := y.labels.Slot(index.Label(l))
			if want := last > 0 && last%5 != 0; (s != slot.None) != want {
				t.Fatalf("label %d of version %d: slot %d", l, last, int32(s))
			}
			if s == slot.None {
				continue
			}
			if d, ok := y.Distance(vector(l, int(last)), index.Label(l)); !ok || d != 0 {
				t.Fatalf("label %d does not have the vector of version %d", l, last)
			}
		}
		y.Close()
	}
	stop.Store(true)
	wg.Wait()
}

func TestWhatAFileMustFulfil(t *testing.T) {
	p := index.Params{Dim: 5, Metric: index.Cosine}
	file := saved(t, grown(t, p, 100))
	le := binary.LittleEndian
	row := func(b []byte, section string, i int) []byte {
		s := snapshottest.Find(b, section)
		return b[s.At+i*s.Row:][:s.Row]
	}
	live := func(b []byte) int {
		for i := 0; ; i++ {
			if row(b, "live", i/64)[i%64/8]>>(i%8)&1 != 0 {
				return i
			}
		}
	}
	for name, f := range map[string]func(b []byte){
		"a slot beyond the last": func(b []byte) { s := snapshottest.Find(b, "live"); row(b, "live", s.Rows-1)[7] |= 0x80 },
		"a label twice":          func(b []byte) { n := live(b); le.PutUint64(row(b, "names", n), le.Uint64(row(b, "names", n+1))) },
		"a label never seen":     func(b []byte) { le.PutUint64(row(b, "names", live(b)), 49) },
		"not a number":           func(b []byte) { copy(row(b, "vectors", live(b)), "\xff\xff\xff\xff") },
		"too long":               func(b []byte) { copy(row(b, "vectors", live(b)), "\x00\x00\x80\x40") },
		"a kind that is another": func(b []byte) { copy(b[24:], "HNSW") },
		"too many sections":      func(b []byte) { b[20]++ },
		"a missing section":      func(b []byte) { b[20]-- },
	} {
		b := bytes.Clone(file)
		f(b)
		if bytes.Equal(b, file) {
			t.Fatalf("%s: nothing was broken", name)
		}
		snapshottest.Seal(b)
		if err := tryLoad(t, b, p); err == nil {
			t.Errorf("%s: it is taken", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
	for _, o := range []index.Params{{Dim: 6, Metric: index.Cosine}, {Dim: 5}, {Dim: 5, Metric: index.Cosine, Element: index.Float64}} {
		if _, err := Load(bytes.NewReader(file), o); !errors.Is(err, index.ErrParams) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func tryLoad(t *testing.T, file []byte, p index.Params) error {
	t.Helper()
	x, err := Load(bytes.NewReader(file), p)
	if err != nil {
		if !errors.Is(err, index.ErrCorrupt) && !errors.Is(err, index.ErrParams) {
			t.Fatalf("not an error of a file: %v", err)
		}
		return err
	}
	defer x.Close()
	if err := x.Validate(); err != nil {
		t.Fatalf("what is not valid is loaded: %v", err)
	}
	for i := range 40 {
		l := index.Label(i * 50)
		b := indextest.Blob(p.Element, indextest.Vectors(uint64(i%7), 1, p.Dim)[0])
		if i%3 == 0 {
			x.Remove(l, 1<<63)
		} else if err := x.Add(l, 1<<62, b); err != nil {
			t.Fatal(err)
		}
		if _, err := x.Search(nil, b, 3, index.SearchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Validate(); err != nil {
		t.Fatalf("what was loaded became invalid: %v", err)
	}
	return nil
}

func FuzzLoad(f *testing.F) {
	var files [][]byte
	var params []index.Params
	for i, e := range []index.Element{index.Float32, index.Float16, index.Int8} {
		p := index.Params{Dim: 5, Element: e, Metric: index.Metric(i)}
		if e == index.Float32 {
			p.Dim = 40 // with codes, where the machine is fast with them
		}
		files, params = append(files, saved(f, grown(f, p, 70))), append(params, p)
		f.Add([]byte{byte(i)})
		for op := range 16 {
			f.Add([]byte{byte(i), byte(op), byte(op), 7, 0, 0, 1, 0, 0, 65, 5, byte(op + 3), 3, 17, 0, 0, 2, 0, 0, 3})
		}
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) == 0 || len(program) > 200 {
			return
		}
		_ = tryLoad(t, snapshottest.Edit(files, program), params[int(program[0])%len(files)])
	})
}
