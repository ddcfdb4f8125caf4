package kinds

import (
	"testing"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/indextest"
)

// options is what each kind can do.
var options = map[string]indextest.Options{
	"HNSW": {Short: short, Quants: []index.Quant{index.QuantSQ8}, Quantised: []index.Element{index.Float32, index.Float64, index.Float16, index.BFloat16}},
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
