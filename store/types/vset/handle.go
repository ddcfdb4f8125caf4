package vset

import (
	"io"
	"runtime"
	"sync/atomic"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/hnsw"
)

// graph holds an hnsw.Graph, whose memory is not the collector's, and closes it
// when nobody refers to it any more: neither a Value nor a search or a Job. A
// graph itself is referred to by its own parts, which a cleanup does not see
// through.
type graph struct{ g *hnsw.Graph }

// graphs counts those that are open.
var graphs atomic.Int64

// Graphs is how many sets have a graph, those included that went and whose graph was not closed yet.
func Graphs() int { return int(graphs.Load()) }

func newGraph(p index.Params) (*graph, error) { return handle(hnsw.New(p)) }

// openGraph makes a graph of a file's pages.
func openGraph(f io.ReaderAt, size int64, p index.Params) (*graph, error) {
	return handle(hnsw.Open(f, size, p))
}

func handle(g *hnsw.Graph, err error) (*graph, error) {
	if err != nil {
		return nil, err
	}
	h := &graph{g}
	graphs.Add(1)
	runtime.AddCleanup(h, func(g *hnsw.Graph) {
		_ = g.Close()
		graphs.Add(-1)
	}, g)
	return h, nil
}

func (h *graph) save(w io.Writer) error {
	defer runtime.KeepAlive(h)
	return h.g.Save(w)
}

func (h *graph) len() int {
	defer runtime.KeepAlive(h)
	return h.g.Len()
}

func (h *graph) add(label uint32, version uint64, row []byte, ef int) error {
	defer runtime.KeepAlive(h)
	return h.g.AddEF(index.Label(label), version, row, ef)
}

func (h *graph) remove(label uint32, version uint64) {
	defer runtime.KeepAlive(h)
	h.g.Remove(index.Label(label), version)
}

func (h *graph) row(dst []byte, label uint32) []byte {
	defer runtime.KeepAlive(h)
	dst, _ = h.g.Row(dst, index.Label(label))
	return dst
}

func (h *graph) eachRow(f func(label uint32, row []byte)) {
	defer runtime.KeepAlive(h)
	h.g.EachRow(func(l index.Label, row []byte) bool {
		f(uint32(l), row)
		return true
	})
}

func (h *graph) links(label uint32, f func(level int, to []index.Label)) bool {
	defer runtime.KeepAlive(h)
	return h.g.Links(index.Label(label), f)
}

func (h *graph) search(q []byte, k, ef int) ([]index.Neighbor, error) {
	defer runtime.KeepAlive(h)
	return h.g.Search(nil, q, k, index.SearchOptions{EF: ef})
}

func (h *graph) searchWhere(q []byte, k, ef int, pass func(index.Label) bool, effort int) ([]index.Neighbor, error) {
	defer runtime.KeepAlive(h)
	return h.g.SearchWhere(nil, q, k, ef, pass, effort)
}

func (h *graph) stats() index.Stats {
	defer runtime.KeepAlive(h)
	return h.g.Stats()
}
