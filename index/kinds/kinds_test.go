package kinds

import (
	"testing"

	"github.com/nearcache/nearcache/index/indextest"
)

func TestConformance(t *testing.T) {
	for _, k := range All {
		t.Run(k.Name, func(t *testing.T) {
			indextest.Run(t, k, indextest.Options{Exact: k.Name == "FLAT", Short: short})
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
