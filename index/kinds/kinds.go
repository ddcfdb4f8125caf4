package kinds

import (
	"io"
	"slices"
	"strings"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/flat"
	"github.com/nearcache/nearcache/index/hnsw"
)

// All lists the index types by the names that FT.CREATE uses.
var All = []index.Kind{
	row("HNSW", hnsw.New, hnsw.Load, hnsw.Open),
	row("FLAT", flat.New, flat.Load, flat.Open),
}

// row makes interfaces of a type's constructors: nil where there is an error.
func row[T index.Index](
	name string,
	create func(index.Params) (T, error),
	load func(io.Reader, index.Params) (T, error),
	open func(io.ReaderAt, int64, index.Params) (T, error),
) index.Kind {
	as := func(x T, err error) (index.Index, error) {
		if err != nil {
			return nil, err
		}
		return x, nil
	}
	return index.Kind{
		Name: name,
		New:  func(p index.Params) (index.Index, error) { return as(create(p)) },
		Load: func(r io.Reader, p index.Params) (index.Index, error) { return as(load(r, p)) },
		Open: func(f io.ReaderAt, size int64, p index.Params) (index.Index, error) { return as(open(f, size, p)) },
	}
}

// In are the types, with what their indexes keep on disk in the folder dir.
func In(dir string) []index.Kind {
	kinds := slices.Clone(All)
	for i, k := range All {
		in := func(p index.Params) index.Params {
			p.Dir = dir
			return p
		}
		kinds[i].New = func(p index.Params) (index.Index, error) { return k.New(in(p)) }
		kinds[i].Load = func(r io.Reader, p index.Params) (index.Index, error) { return k.Load(r, in(p)) }
		kinds[i].Open = func(f io.ReaderAt, size int64, p index.Params) (index.Index, error) { return k.Open(f, size, in(p)) }
	}
	return kinds
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
