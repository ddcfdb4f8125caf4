package hnsw

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/indextest"
	"github.com/nearcache/nearcache/index/slot"
	"github.com/nearcache/nearcache/index/snapshot/snapshottest"
)

// broken are files to be broken, each with its parameters.
func broken(t testing.TB) (files [][]byte, params []index.Params) {
	forms(func(e index.Element, q index.Quant) {
		if e != index.Float32 && e != index.Float16 && e != index.Int8 {
			return
		}
		dim := 5
		if e == index.Float32 && q == index.QuantNone {
			dim = 64 // in two parts
		}
		p := index.Params{Dim: dim, Element: e, Metric: index.Metric(len(files) % 3), Quant: q, M: 2 + len(files)%2, EFConstruction: 20}
		g, err := New(p)
		if err != nil {
			t.Fatal(err)
		}
		v := indextest.Fit(e, indextest.Vectors(uint64(len(files)), 40, dim))
		for i := range v {
			add(t, g, index.Label(i*30), 1, indextest.Blob(e, v[i])) // two pages of labels
		}
		for i := range 7 {
			g.Remove(index.Label(i*30), 2)
		}
		g.Flush()
		for i := range 4 {
			add(t, g, index.Label(2000+i), 1, indextest.Blob(e, v[20+i/2]))
		}
		for i := range 3 {
			g.Remove(index.Label(30*(10+i)), 2)
		}
		files, params = append(files, saved(t, g)), append(params, p)
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
	})
	return files, params
}

// tryLoad loads a file that may be broken. If it is taken, everything must be
// possible with it.
func tryLoad(t *testing.T, file []byte, p index.Params) error {
	t.Helper()
	g, err := Load(bytes.NewReader(file), p)
	if o, err2 := Open(bytes.NewReader(file), int64(len(file)), p); err2 == nil {
		o.Close()
		if err != nil {
			t.Fatalf("Open takes what Load does not: %v", err)
		}
	} else if err == nil && !errors.Is(err2, index.ErrCorrupt) { // as something may be behind its end
		t.Fatalf("Load takes what Open does not: %v", err2)
	}
	if err != nil {
		if !errors.Is(err, index.ErrCorrupt) && !errors.Is(err, index.ErrParams) {
			t.Fatalf("not an error of a file: %v", err)
		}
		return err
	}
	defer g.Close()
	if err := g.Validate(); err != nil {
		t.Fatalf("what is not valid is loaded: %v", err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 60 {
		l := index.Label(r.IntN(50) * 30)
		b := indextest.Blob(p.Element, indextest.Fit(p.Element, indextest.Vectors(uint64(i%7), 1, p.Dim))[0])
		switch i % 4 {
		case 0:
			g.Remove(l, 1<<63)
		case 1:
			if _, err := g.Search(nil, b, 3, index.SearchOptions{EF: 3}); err != nil {
				t.Fatal(err)
			}
		case 2:
			if _, err := g.Range(nil, b, 1, index.SearchOptions{}); err != nil {
				t.Fatal(err)
			}
		default:
			if err := g.Add(l, 1<<62, b); err != nil {
				t.Fatal(err)
			}
		}
	}
	g.Flush()
	if err := g.Validate(); err != nil {
		t.Fatalf("what was loaded became invalid: %v", err)
	}
	return nil
}

func FuzzLoad(f *testing.F) {
	files, params := broken(f)
	for i := range files {
		f.Add([]byte{byte(i)})
		for op := range 16 {
			f.Add([]byte{byte(i), byte(op), byte(op), 7, 0, 0, 1, 0, 0, 65, 5, byte(op + 3), 3, 17, 0, 0, 2, 0, 0, 3})
		}
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) == 0 || len(program) > 200 {
			return
		}
		file := snapshottest.Edit(files, program)
		// What the header says now is as good as what it said.
		p := params[int(program[0])%len(files)]
		_ = tryLoad(t, file, p)
	})
}

func TestEveryCutIsCorrupt(t *testing.T) {
	files, params := broken(t)
	for i, file := range files[:2] {
		r := rand.New(rand.NewPCG(3, 4))
		for n := 0; n < len(file); n += 1 + r.IntN(999) {
			cut := file[:n]
			if _, err := Load(bytes.NewReader(cut), params[i]); !errors.Is(err, index.ErrCorrupt) {
				t.Fatalf("cut at %d: %v", n, err)
			}
			if _, err := Open(bytes.NewReader(cut), int64(n), params[i]); !errors.Is(err, index.ErrCorrupt) {
				t.Fatalf("cut at %d: %v", n, err)
			}
		}
		long := append(bytes.Clone(file), 0)
		if _, err := Open(bytes.NewReader(long), int64(len(long)), params[i]); !errors.Is(err, index.ErrCorrupt) {
			t.Fatalf("a byte too long: %v", err)
		}
		rest := bytes.NewReader(long)
		g, err := Load(rest, params[i])
		if err != nil || rest.Len() != 1 {
			t.Fatalf("%d bytes left: %v", rest.Len(), err)
		}
		g.Close()
	}
}

func TestEveryBitIsUnderAChecksum(t *testing.T) {
	files, params := broken(t)
	file := bytes.Clone(files[1])
	step := 13
	if short {
		step = 997
	}
	for at := 0; at < len(file); at += step {
		file[at] ^= 1 << (at % 8)
		if _, err := Load(bytes.NewReader(file), params[1]); !errors.Is(err, index.ErrCorrupt) {
			t.Fatalf("a bit at %d: %v", at, err)
		}
		file[at] ^= 1 << (at % 8)
	}
}

// Each case breaks one thing, and the checksums are right.
func TestWhatAFileMustFulfil(t *testing.T) {
	files, params := broken(t)
	le := binary.LittleEndian
	word := func(b []byte, section string, row, word int) []byte {
		p := snapshottest.Find(b, section)
		return b[p.At+row*p.Row+4*word:]
	}
	const state, parent, next, prev, upper = 0, 1, 2, 3, 4
	which := func(b []byte, f func(st uint32) bool) int {
		p := snapshottest.Find(b, "nodes")
		for i := range p.Rows {
			if f(le.Uint32(b[p.At+i*p.Row:])) {
				return i
			}
		}
		panic("no such node")
	}
	node := func(b []byte) int { return which(b, func(st uint32) bool { return st == linked|live }) }
	high := func(b []byte) int { return which(b, func(st uint32) bool { return st>>levelShift > 0 }) }
	chained := func(b []byte) int { return which(b, func(st uint32) bool { return st == dup|live }) }
	free := func(b []byte) int { return which(b, func(st uint32) bool { return st == 0 }) }
	root := func(b []byte) int { return int(le.Uint64(b[96+8*savedRoot:])) - 1 }
	put := func(b []byte, v uint32) { le.PutUint32(b, v) }
	cases := map[string]func(b []byte){
		"pending":             func(b []byte) { put(word(b, "nodes", node(b), state), linked|live|pending) },
		"doomed":              func(b []byte) { put(word(b, "nodes", node(b), state), linked|live|doomed) },
		"dead and live":       func(b []byte) { put(word(b, "nodes", node(b), state), linked|live|dead) },
		"no state":            func(b []byte) { put(word(b, "nodes", node(b), state), 0) },
		"a level too high":    func(b []byte) { put(word(b, "nodes", high(b), state), linked|live|25<<levelShift) },
		"a level without row": func(b []byte) { put(word(b, "nodes", node(b), state), linked|live|1<<levelShift) },
		"a row without level": func(b []byte) { put(word(b, "nodes", node(b), upper), 1) },
		"a row too far":       func(b []byte) { put(word(b, "nodes", high(b), upper), 1<<30) },
		"parent of nowhere":   func(b []byte) { put(word(b, "nodes", node(b), parent), 1<<31) },
		"its own parent": func(b []byte) {
			n := which(b, func(st uint32) bool { return st == linked|live && true })
			put(word(b, "nodes", n, parent), uint32(n+1))
		},
		"two roots": func(b []byte) {
			n := node(b)
			if n == root(b) {
				n++
			}
			put(word(b, "nodes", n, parent), 0)
		},
		"a ring": func(b []byte) {
			// The root hangs on its own child.
			r := root(b)
			for i := range snapshottest.Find(b, "nodes").Rows {
				if int(le.Uint32(word(b, "nodes", i, parent))) == r+1 && le.Uint32(word(b, "nodes", i, state))&linked != 0 {
					put(word(b, "nodes", r, parent), uint32(i+1))
					return
				}
			}
			panic("no child")
		},
		"too many children": func(b []byte) {
			links := snapshottest.Find(b, "links")
			list := func(n int) (l []int) {
				for i := range links.Row / 4 {
					if v := int(le.Uint32(word(b, "links", n, i))); v != 0 {
						l = append(l, v-1)
					}
				}
				return l
			}
			for n := range links.Rows {
				above := map[int]bool{}
				for x := n; x >= 0 && le.Uint32(word(b, "nodes", n, state))&linked != 0; x = int(le.Uint32(word(b, "nodes", x, parent))) - 1 {
					above[x] = true
				}
				both := slices.DeleteFunc(list(n), func(v int) bool { return above[v] || !slices.Contains(list(v), n) })
				if len(both) > links.Row/8 {
					for _, v := range both {
						put(word(b, "nodes", v, parent), uint32(n+1))
					}
					return
				}
			}
			panic("no node that links to so many that are not above it")
		},
		"a chain's end":        func(b []byte) { put(word(b, "nodes", chained(b), prev), uint32(free(b)+1)) },
		"a chain into nowhere": func(b []byte) { put(word(b, "nodes", chained(b), next), uint32(node(b)+1)) },
		"a chain elsewhere":    func(b []byte) { put(word(b, "nodes", chained(b), parent), uint32(free(b)+1)) },
		"a free slot's parent": func(b []byte) { put(word(b, "nodes", free(b), parent), 1) },
		"a link to nowhere":    func(b []byte) { put(word(b, "links", node(b), 0), 1<<31) },
		"a link to a free":     func(b []byte) { put(word(b, "links", node(b), 0), uint32(free(b)+1)) },
		"a link to itself":     func(b []byte) { n := node(b); put(word(b, "links", n, 0), uint32(n+1)) },
		"a link twice":         func(b []byte) { n := node(b); put(word(b, "links", n, 1), le.Uint32(word(b, "links", n, 0))) },
		"a gap":                func(b []byte) { put(word(b, "links", node(b), 0), 0) },
		"links of a free slot": func(b []byte) { put(word(b, "links", free(b), 0), 1) },
		"a link to below": func(b []byte) {
			row := int(le.Uint32(word(b, "nodes", high(b), upper))) - 1
			put(word(b, "upper", row, 0), uint32(which(b, func(st uint32) bool { return st == linked|live })+1))
		},
		"a label twice":        func(b []byte) { n := node(b); copy(word(b, "names", n, 0)[:8], word(b, "names", n+1, 0)[:8]) },
		"a label never seen":   func(b []byte) { put(word(b, "names", node(b), 0), 99) },
		"pages of labels":      func(b []byte) { put(word(b, "versions", 1, 0), 0) },
		"a page too far":       func(b []byte) { put(word(b, "versions", 1, 1), 1<<31) },
		"entry of nowhere":     func(b []byte) { put(b[96+8*savedEntry:], 1<<30) },
		"entry at no level":    func(b []byte) { put(b[96+8*savedEntry+4:], 99) },
		"no entry":             func(b []byte) { le.PutUint64(b[96+8*savedEntry:], 0) },
		"root of nowhere":      func(b []byte) { put(b[96+8*savedRoot:], 1<<30) },
		"no root":              func(b []byte) { le.PutUint64(b[96+8*savedRoot:], 0) },
		"parts of what is not": func(b []byte) { le.PutUint64(b[96+8*savedSplit:], splitParts) },
		"more slots":           func(b []byte) { le.PutUint64(b[224+48+24:], 1<<20) },
		"endless slots":        func(b []byte) { le.PutUint64(b[224+48+24:], 1<<63) },
		"not a number":         func(b []byte) { copy(word(b, "vectors", node(b), 0), "\xff\xff\xff\xff") },
		"padding":              func(b []byte) { p := snapshottest.Find(b, "vectors"); b[p.At+(node(b)+1)*p.Row-1] = 1 },
		"behind the last row":  func(b []byte) { p := snapshottest.Find(b, "nodes"); b[p.At+p.Rows*p.Row] = 1 },
		"equal vectors in two nodes": func(b []byte) {
			n, p := node(b), snapshottest.Find(b, "vectors")
			other := which(b, func(st uint32) bool { n--; return n < -1 && st == linked|live })
			copy(b[p.At+other*p.Row:][:p.Row], b[p.At+node(b)*p.Row:])
		},
	}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			at := 1 // FLOAT32 with SQ8
			if name == "parts of what is not" {
				at = len(files) - 1
			}
			file := bytes.Clone(files[at])
			f(file)
			if bytes.Equal(file, files[at]) {
				t.Fatal("nothing was broken")
			}
			snapshottest.Seal(file)
			err := tryLoad(t, file, params[at])
			if !errors.Is(err, index.ErrCorrupt) {
				t.Fatalf("it is taken: %v", err)
			}
			t.Log(err)
		})
	}
}

// A code that is not its vector's is made anew; alone, it has to be finite.
func TestCodesAreCheckedToo(t *testing.T) {
	files, params := broken(t)
	file := bytes.Clone(files[1])
	p := snapshottest.Find(file, "codes")
	file[p.At+20*p.Row] ^= 0x55
	snapshottest.Seal(file)
	g := loaded(t, file, params[1])
	if !bytes.Equal(saved(t, g), files[1]) {
		t.Error("a broken code has not been made anew")
	}
	file = bytes.Clone(files[2])
	p = snapshottest.Find(file, "codes")
	copy(file[p.At+21*p.Row-16:], "\x00\x00\xc0\x7f") // the scale
	snapshottest.Seal(file)
	if err := tryLoad(t, file, params[2]); !errors.Is(err, index.ErrCorrupt) {
		t.Errorf("a scale that is not a number: %v", err)
	}
	if !splits(params[0]) {
		t.Skip("this machine has no instructions for vectors in parts")
	}
	file = bytes.Clone(files[0])
	p = snapshottest.Find(file, "sketches")
	file[p.At+20*p.Row] ^= 0x55
	snapshottest.Seal(file)
	if !bytes.Equal(saved(t, loaded(t, file, params[0])), files[0]) {
		t.Error("a broken sketch has not been made anew")
	}
	file = bytes.Clone(files[0])
	p = snapshottest.Find(file, "codes")
	copy(file[p.At+20*p.Row+64:], "\x00\x00\xc0\x7f") // the scale, behind 64 codes
	snapshottest.Seal(file)
	if err := tryLoad(t, file, params[0]); !errors.Is(err, index.ErrCorrupt) {
		t.Errorf("parts of a scale that is not a number: %v", err)
	}
}

// A header may promise what it likes: what is not there is not allocated.
func TestNothingIsAllocatedForWhatIsNotThere(t *testing.T) {
	if slot.HeapArenas > 0 {
		t.Skip("arenas come from the heap, whole")
	}
	p := index.Params{Dim: 1000, Quant: index.QuantNone, M: 16}
	g, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	file := saved(t, g)
	g.Close()
	le := binary.LittleEndian
	// As many rows as fit into a terabyte, at offsets that fit.
	at := uint64(4096)
	for i := range int(le.Uint32(file[20:])) {
		part := file[224+48*i:]
		row := le.Uint64(part[16:])
		rows := uint64(1<<40) / row
		le.PutUint64(part[24:], rows)
		le.PutUint64(part[32:], at)
		at += (row*rows + 4095) / 4096 * 4096
		le.PutUint64(part[40:], at)
		at += ((row*rows+4095)/4096*4096+65535)/65536*4 + 4
		at = (at + 4095) / 4096 * 4096
	}
	le.PutUint64(file[32:], at)
	snapshottest.Seal(file[:4096])
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = Load(io.MultiReader(bytes.NewReader(file[:4096]), bytes.NewReader(make([]byte, 1<<20))), p)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, index.ErrCorrupt) {
		t.Fatal(err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
		t.Errorf("%d bytes for a file of 1 MB", n)
	}
}
