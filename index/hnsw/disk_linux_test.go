package hnsw

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/indextest"
	"github.com/nearcache/nearcache/index/slot"
)

func TestVectorsOnDisk(t *testing.T) {
	if slot.HeapArenas > 0 {
		t.Skip("there is no disk")
	}
	dir := t.TempDir()
	p := index.Params{Dim: 256, Metric: index.Cosine, Quant: index.QuantBinary, Dir: dir}
	n := 2000
	v := indextest.Vectors(3, n, p.Dim)
	g, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for i := range v {
		add(t, g, index.Label(i), 1, indextest.Blob(p.Element, v[i]))
	}
	st := g.Stats()
	if size := int64(n * 4 * p.Dim); st.DiskBytes < size || st.Bytes > size/2 {
		t.Errorf("%d bytes of vectors: %+v", size, st)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 0 {
		t.Errorf("the file has a name: %v %v", names, err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.Dir = filepath.Join(file, "below")
	if x, err := New(p); err == nil {
		x.Close()
		t.Error("a file is taken for a folder")
	}
}

func TestAddOnAFullDisk(t *testing.T) {
	if slot.HeapArenas > 0 {
		t.Skip("there is no disk")
	}
	p := index.Params{Dim: 1024, Metric: index.L2, Quant: index.QuantBinary, EFConstruction: 10, Dir: t.TempDir()}
	g, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 2 << 20, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	vector := func(i int) []byte { return indextest.Blob(p.Element, indextest.Vectors(uint64(i), 1, p.Dim)[0]) }
	full := 0
	for i := range 600 {
		switch err := g.Add(index.Label(i), 1, vector(i)); {
		case errors.Is(err, slot.ErrFull):
			full++
		case err != nil:
			t.Error(err)
		}
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if full != 600-2<<20/(4*p.Dim) || g.Len() != 600-full {
		t.Errorf("%d of 600 did not fit, %d are there", full, g.Len())
	}
	if err := g.Validate(); err != nil {
		t.Fatal(err)
	}
	for i := range 600 {
		add(t, g, index.Label(i), 2, vector(i))
	}
	if err := g.Validate(); err != nil || g.Len() != 600 {
		t.Fatal(g.Len(), err)
	}
}
