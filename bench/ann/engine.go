package ann

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// memory is a process's memory in use, in bytes.
type memory struct {
	Anon int64 `json:"anon"` // anonymous
	File int64 `json:"file"` // of mapped files
	Huge int64 `json:"huge"` // part of Anon that lies in huge pages
}

func (m memory) minus(o memory) memory {
	return memory{Anon: m.Anon - o.Anon, File: m.File - o.File, Huge: m.Huge - o.Huge}
}

// timing is what one build or one pass over the queries took.
type timing struct {
	Seconds float64 `json:"seconds"` // by the wall clock
	CPU     float64 `json:"cpu"`     // processor time of the process
}

// built is what an index cost.
type built struct {
	timing
	Memory memory `json:"memory"`           // added by it; Huge as found after the build
	Cached bool   `json:"cached,omitempty"` // it was loaded, timing and memory are of the day it was built
}

// pass is one pass over all queries.
type pass struct {
	timing
	queries int
	labels  []int32   // queries x k, -1 where there is none
	micros  []float32 // latency of each query; empty where a peer does not allow that
}

// engine is an index to be measured.
type engine interface {
	version() string
	exact() bool // ef means nothing to it
	build(s *set, threads int) (built, error)
	search(s *set, ef, threads int) (pass, error)
	// pid is the process that does the work, 0 for this one.
	pid() int
	close()
}

// warmUp is how many of the queries are asked before the clock starts, so that
// the caches hold what this engine uses and not what the last one did.
func warmUp(s *set) int { return s.queries / 4 }

// row is an engine that can be asked for.
type row struct {
	name, what string
	open       func(o *options, s *set) (engine, error)
}

// rows are all engines, in the order in which they are shown.
var rows = []row{
	{"nearcache", "HNSW as it comes", openNearcache("HNSW", quantAuto)},
	{"nearcache-f32", "HNSW, float32 alone", openNearcache("HNSW", quantNone)},
	{"nearcache-sq4", "HNSW, walk on 4-bit codes, rerank with float32", openNearcache("HNSW", quantSQ4)},
	{"nearcache-sq8", "HNSW, walk on 8-bit codes, rerank with float32", openNearcache("HNSW", quantSQ8)},
	{"nearcache-sq8only", "HNSW, 8-bit codes alone", openNearcache("HNSW", quantSQ8Only)},
	{"nearcache-binary", "HNSW, walk on 1-bit codes, rerank with float32 on disk", openNearcache("HNSW", quantBinary)},
	{"flat", "nearcache FLAT, exact", openNearcache("FLAT", quantAuto)},
	{"hnswlib", "hnswlib by its C++ header", openHnswlib},
	{"hnswlib-py", "hnswlib's Python binding", openPython("hnswlib-py", "hnswlib")},
	{"faiss-hnsw", "faiss IndexHNSWFlat", openPython("faiss-hnsw", "faiss-hnsw")},
	{"faiss-sq8", "faiss IndexHNSWSQ of 8 bits, IndexRefineFlat", openPython("faiss-sq8", "faiss-sq8")},
	{"faiss-ivfpq", "faiss IndexIVFPQFastScan, IndexRefineFlat", openPython("faiss-ivfpq", "faiss-ivfpq")},
	{"usearch", "usearch of float32", openPython("usearch", "usearch")},
	{"usearch-i8", "usearch of 8 bits", openPython("usearch-i8", "usearch-i8")},
	{"coder", "github.com/coder/hnsw", openCoder},
}

func findRow(name string) (row, error) {
	if i := slices.IndexFunc(rows, func(r row) bool { return r.name == name }); i >= 0 {
		return rows[i], nil
	}
	var all []string
	for _, r := range rows {
		all = append(all, r.name)
	}
	return row{}, fmt.Errorf("no engine %q; there are %s", name, strings.Join(all, ", "))
}

func timed(f func() error) (timing, error) {
	c, w := cpuTime(), time.Now()
	err := f()
	return timing{Seconds: time.Since(w).Seconds(), CPU: cpuTime() - c}, err
}

func blob(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func blobs(v []float32, dim int) [][]byte {
	var b [][]byte
	for ; len(v) > 0; v = v[dim:] {
		b = append(b, blob(v[:dim]))
	}
	return b
}
