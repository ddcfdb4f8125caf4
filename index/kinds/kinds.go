package kinds

import (
	"strings"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/flat"
	"github.com/nearcache/nearcache/index/hnsw"
)

// All lists the index types by the names that FT.CREATE uses.
var All = []index.Kind{
	{Name: "HNSW", New: func(p index.Params) (index.Index, error) { return hnsw.New(p) }},
	{Name: "FLAT", New: func(p index.Params) (index.Index, error) { return flat.New(p) }},
}

// Find returns the type of that name, in any case.
func Find(name string) (index.Kind, bool) {
	for _, k := range All {
		if strings.EqualFold(k.Name, name) {
			return k, true
		}
	}
	return index.Kind{}, false
}
