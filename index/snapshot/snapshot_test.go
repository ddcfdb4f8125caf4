package snapshot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unsafe"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/slot"
	"github.com/nearcache/nearcache/index/snapshot/snapshottest"
)

var header = Header{
	Kind:   "TEST",
	Params: index.Params{Dim: 7, Element: index.Float64, Metric: index.Cosine, Quant: index.QuantSQ8, M: 9, EFConstruction: 8, EFRuntime: 6, Epsilon: 0.5, InitialCap: 4, BlockSize: 3, Seed: 2},
	State:  []uint64{5, 1 << 63},
}

func random(n int) []byte {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// sizes of sections: none, less than a page, a chunk and its neighbours.
var sizes = []struct{ row, rows int }{{1, 0}, {24, 3}, {4096, 16}, {4096, 17}, {7, 9363}, {100_000, 3}, {65535, 1}}

func file(t *testing.T) ([]byte, [][]byte) {
	t.Helper()
	var content [][]byte
	var sections []Section
	for i, s := range sizes {
		b := random(s.row * s.rows)
		content = append(content, b)
		// In pieces that end anywhere.
		sections = append(sections, Section{Name: strings.Repeat("s", i+1), Row: s.row, Rows: s.rows, Data: slices.Chunk(b, 1+i*30_011)})
	}
	var w bytes.Buffer
	if err := Write(&w, header, sections); err != nil {
		t.Fatal(err)
	}
	return w.Bytes(), content
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	b, content := file(t)
	sealed := bytes.Clone(b)
	snapshottest.Seal(sealed)
	if !bytes.Equal(sealed, b) {
		t.Fatal("not as FORMAT.md says")
	}
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for how, open := range map[string]func() (*Reader, error){
		"Read":        func() (*Reader, error) { return Read(iotest.HalfReader(bytes.NewReader(b))) },
		"Map":         func() (*Reader, error) { return Map(f, int64(len(b))) },
		"Map, reader": func() (*Reader, error) { return Map(bytes.NewReader(b), int64(len(b))) },
	} {
		for _, each := range []bool{false, true} {
			r, err := open()
			if err != nil {
				t.Fatalf("%s: %v", how, err)
			}
			if r.Kind != header.Kind || r.Params != header.Params || !slices.Equal(r.State[:3], append(header.State, 0)) {
				t.Fatalf("%s: %+v", how, r.Header)
			}
			for i, s := range sizes {
				name := strings.Repeat("s", i+1)
				if n, err := r.Rows(name, s.row); err != nil || n != s.rows {
					t.Fatalf("%s %s: %d rows: %v", how, name, n, err)
				}
				var got []byte
				if each {
					err = r.Each(name, s.row, s.rows, func(i int, b []byte) error {
						if len(b) != s.row || i != len(got)/s.row {
							t.Fatalf("%s %s: row %d of %d bytes", how, name, i, len(b))
						}
						got = append(got, b...)
						return nil
					})
				} else {
					a, err2 := slot.Reserve(64 << 20)
					if err2 != nil {
						t.Fatal(err2)
					}
					defer a.Close()
					err = r.Fill(a, name, s.row, s.rows)
					got = unsafe.Slice((*byte)(a.Base()), s.row*s.rows)
				}
				if err != nil || !bytes.Equal(got, content[i]) {
					t.Fatalf("%s %s: %d bytes of %d, or others: %v", how, name, len(got), len(content[i]), err)
				}
				if (r.End() == nil) != (i == len(sizes)-1) {
					t.Fatalf("%s: the end after section %d: %v", how, i, r.End())
				}
			}
		}
	}
}

func TestHeadersThatAreRefused(t *testing.T) {
	b, _ := file(t)
	le := binary.LittleEndian
	for name, f := range map[string]func(b []byte){
		"magic":            func(b []byte) { b[0]++ },
		"version":          func(b []byte) { b[8]++ },
		"page":             func(b []byte) { b[13]++ },
		"chunk":            func(b []byte) { b[16]++ },
		"sections":         func(b []byte) { b[20] = 17 },
		"fewer sections":   func(b []byte) { b[20]-- },
		"size":             func(b []byte) { b[32]++ },
		"dimension 0":      func(b []byte) { le.PutUint32(b[40:], 0) },
		"element type":     func(b []byte) { b[44] = 9 },
		"metric":           func(b []byte) { b[45] = 9 },
		"quantisation":     func(b []byte) { b[46] = 9 },
		"M":                func(b []byte) { le.PutUint32(b[48:], 1) },
		"epsilon":          func(b []byte) { le.PutUint64(b[64:], 0x7ff8<<48) },
		"offset":           func(b []byte) { b[224+48+33]++ },
		"rows":             func(b []byte) { le.PutUint64(b[224+48+24:], 1<<40) },
		"rows beyond all":  func(b []byte) { le.PutUint64(b[224+48+24:], 1<<63) },
		"behind the table": func(b []byte) { b[992] = 1 },
	} {
		c := bytes.Clone(b)
		f(c)
		if _, err := Read(bytes.NewReader(c)); !errors.Is(err, index.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		snapshottest.Seal(c)
		if _, err := Read(bytes.NewReader(c)); !errors.Is(err, index.ErrCorrupt) {
			t.Errorf("%s, with the right checksum: %v", name, err)
		}
	}
}

func TestReadersErrorIsNotTheFiles(t *testing.T) {
	b, _ := file(t)
	broken := errors.New("cable")
	r, err := Read(io.MultiReader(bytes.NewReader(b[:5000]), iotest.ErrReader(broken)))
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range sizes {
		if err = r.Each(strings.Repeat("s", i+1), s.row, s.rows, func(int, []byte) error { return nil }); err != nil {
			break
		}
	}
	if !errors.Is(err, broken) || errors.Is(err, index.ErrCorrupt) {
		t.Error(err)
	}
}

func TestWriteRefusesWhatCannotBeRead(t *testing.T) {
	many := make([]Section, maxParts+1)
	for name, f := range map[string]func() error{
		"sections": func() error { return Write(io.Discard, header, many) },
		"rows": func() error {
			return Write(io.Discard, header, []Section{{Name: "a", Row: 2, Rows: 2, Data: One(make([]byte, 3))}})
		},
		"name":    func() error { return Write(io.Discard, header, []Section{{Name: strings.Repeat("a", 17)}}) },
		"kind":    func() error { return Write(io.Discard, Header{Kind: "ninechars"}, nil) },
		"numbers": func() error { return Write(io.Discard, Header{State: make([]uint64, MaxState+1)}, nil) },
		"size":    func() error { return Write(io.Discard, header, []Section{{Name: "a", Row: 1 << 40, Rows: 1 << 30}}) },
	} {
		if f() == nil {
			t.Errorf("%s: written", name)
		}
	}
}
