package search

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"testing"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/kinds"
)

func graphIndex(t testing.TB) *Index {
	t.Helper()
	ix, err := New(&Schema{Fields: []Field{
		{Name: "v", Identifier: "v", Type: TypeVector, Algorithm: "HNSW", Vector: index.Params{Dim: 4}},
		{Name: "w", Identifier: "w", Type: TypeVector, Algorithm: "FLAT", Vector: index.Params{Dim: 2}},
	}}, kinds.All)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ix.Close() })
	return ix
}

func floatBytes(v ...float32) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

type closer struct{ *bytes.Buffer }

func (closer) Close() error { return nil }

// savedIndex is a graph and its table of labels, of n documents.
func savedIndex(t testing.TB, n int) (graph, table []byte) {
	t.Helper()
	ix := graphIndex(t)
	for i := range n {
		x := float32(i)
		if err := ix.Put(fmt.Sprint("doc", i), uint64(i+1), 0, func(id string) ([]byte, bool) {
			if id == "w" {
				return floatBytes(x, 1), i%2 == 0
			}
			return floatBytes(x, 1, 2, 3), true
		}); err != nil {
			t.Fatal(err)
		}
	}
	var g, tb bytes.Buffer
	if err := ix.Save(func(string) (io.WriteCloser, error) { return closer{&g}, nil }, &tb); err != nil {
		t.Fatal(err)
	}
	return g.Bytes(), tb.Bytes()
}

// TestSaveKnowsDocumentsWithoutAFieldThatWasAdded gives an index one more vector, which no document has: these stand in the
// table all the same once they were put anew.
func TestSaveKnowsDocumentsWithoutAFieldThatWasAdded(t *testing.T) {
	t.Parallel()
	ix := newTester(t, "v VECTOR HNSW 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2").ix
	put := func(version uint64) {
		if err := ix.Put("a", version, 0, hash("v", string(blob(1, 2)))); err != nil {
			t.Fatal(err)
		}
	}
	put(1)
	extended(t, ix, "w VECTOR FLAT 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2")
	put(2)
	var graph, table bytes.Buffer
	if err := ix.Save(func(string) (io.WriteCloser, error) { return closer{&graph}, nil }, &table); err != nil {
		t.Fatal(err)
	}
	read, err := parseTable(table.Bytes(), 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(read.claims) != 1 {
		t.Errorf("saved documents: %v", read.claims)
	}
}

// restore has an index take over what was saved of one with one graph.
func restore(ix *Index, graph, table []byte) error {
	s, err := ix.Read(table, func(string) (io.ReaderAt, int64, error) { return bytes.NewReader(graph), int64(len(graph)), nil })
	if err != nil {
		return err
	}
	return ix.Restore(s)
}

// TestRestoreTakesNothingThatIsDamaged flips each byte of a table, and bytes of a graph: the index is empty then, as before,
// and takes documents.
func TestRestoreTakesNothingThatIsDamaged(t *testing.T) {
	t.Parallel()
	graph, table := savedIndex(t, 9)
	whole := graphIndex(t)
	if err := restore(whole, graph, table); err != nil {
		t.Fatal(err)
	}
	if n := whole.vecs[0].graph.graph.Len(); n != 9 {
		t.Fatalf("%d vectors", n)
	}
	ix := graphIndex(t)
	for i := range table {
		bad := bytes.Clone(table)
		bad[i] ^= 1 << (i % 8)
		if restore(ix, graph, bad) == nil {
			t.Fatalf("byte %d of the table", i)
		}
		if restore(ix, graph, table[:i]) == nil {
			t.Fatalf("a table of %d bytes", i)
		}
	}
	for i := 0; i < len(graph); i += 97 {
		bad := bytes.Clone(graph)
		bad[i] ^= 1 << (i % 8)
		if restore(ix, bad, table) == nil && bytes.Equal(bad[:4096], graph[:4096]) {
			// Zeros behind a section's checksums are not looked at: what is read is what was written.
			if n := ix.vecs[0].graph.graph.Len(); n != 9 {
				t.Fatalf("byte %d of the graph: %d vectors", i, n)
			}
		}
	}
}

// FuzzLabels reads a table of labels.
func FuzzLabels(f *testing.F) {
	_, table := savedIndex(f, 3)
	f.Add(table)
	f.Add(table[:40])
	f.Fuzz(func(t *testing.T, b []byte) {
		tab, err := parseTable(b, 2)
		if err != nil {
			return
		}
		for name, c := range tab.claims {
			if int(c.label) >= tab.labels || len(c.hashes) != 2 {
				t.Fatalf("%q: %+v of %d", name, c, tab.labels)
			}
		}
	})
}
