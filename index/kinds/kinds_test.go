package kinds

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/indextest"
	"github.com/nearcache/nearcache/index/slot"
)

// options is what each kind can do.
var options = map[string]indextest.Options{
	"HNSW": {Short: short, Quants: []index.Quant{index.QuantSQ4, index.QuantSQ8, index.QuantBinary, index.QuantSQ8Only}, Quantised: []index.Element{index.Float32, index.Float64, index.Float16, index.BFloat16}},
	"FLAT": {Short: short, Exact: true},
}

func TestConformance(t *testing.T) {
	for _, k := range All {
		t.Run(k.Name, func(t *testing.T) {
			indextest.Run(t, k, options[k.Name])
		})
	}
}

func TestFind(t *testing.T) {
	for _, k := range All {
		if _, ok := Find(k.Name); !ok {
			t.Errorf("%s not found", k.Name)
		}
	}
	if k, ok := Find("flat"); !ok || k.Name != "FLAT" {
		t.Errorf("flat: %v %v", k.Name, ok)
	}
	if _, ok := Find(""); ok {
		t.Error("found nothing's name")
	}
}

// What one kind saves no other takes, and each takes its own.
func TestSaveLoadOpen(t *testing.T) {
	p := index.Params{Dim: 9, Metric: index.Cosine}
	for _, k := range All {
		x, err := k.New(p)
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		v := indextest.Vectors(1, 300, p.Dim)
		for i := range v {
			if err := x.Add(index.Label(i), 1, indextest.Blob(p.Element, v[i])); err != nil {
				t.Fatal(err)
			}
		}
		var file bytes.Buffer
		if err := x.(index.Saver).Save(&file); err != nil {
			t.Fatal(err)
		}
		for _, o := range All {
			for _, restore := range []func() (index.Index, error){
				func() (index.Index, error) { return o.Load(bytes.NewReader(file.Bytes()), p) },
				func() (index.Index, error) { return o.Open(bytes.NewReader(file.Bytes()), int64(file.Len()), p) },
			} {
				y, err := restore()
				if o.Name != k.Name {
					if y != nil || !errors.Is(err, index.ErrParams) {
						t.Errorf("%s as %s: %v %v", k.Name, o.Name, y, err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				indextest.Validate(t, y)
				r, err := y.Search(nil, indextest.Blob(p.Element, v[7]), 1, index.SearchOptions{})
				if err != nil || y.Len() != len(v) || len(r) != 1 || r[0].Label != 7 {
					t.Errorf("%s: %d vectors, %v %v", k.Name, y.Len(), r, err)
				}
				if err := y.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

func TestInAFolder(t *testing.T) {
	if slot.HeapArenas > 0 {
		t.Skip("nothing lies on disk")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p := index.Params{Dim: 64, Quant: index.QuantBinary}
	made := func(dir string) error {
		x, err := In(dir)[0].New(p) // HNSW
		if err == nil {
			err = x.Close()
		}
		return err
	}
	if err := made(filepath.Join(dir, "new")); err != nil {
		t.Error(err)
	}
	if made(filepath.Join(file, "below")) == nil {
		t.Error("made below a file")
	}
}
