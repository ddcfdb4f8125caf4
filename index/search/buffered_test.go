package search

import (
	"errors"
	"testing"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/flat"
)

// moving is a graph into which a vector moves just after it was asked how many it has.
type moving struct {
	index.Index
	move func()
}

func (m *moving) Len() int {
	n := m.Index.Len()
	m.move()
	return n
}

// TestCountWhileAVectorMoves: a search asks for no more vectors than there are, and so one on its way into the graph
// has to count.
func TestCountWhileAVectorMoves(t *testing.T) {
	p := index.Params{Dim: 2, Metric: index.L2}
	exact := func() (index.Index, error) { return flat.New(p) }
	graph, err := exact()
	if err != nil {
		t.Fatal(err)
	}
	m := &moving{Index: graph, move: func() {}}
	b := newBuffered(m, exact)
	v := make([]byte, 8)
	if err := errors.Join(b.turn(true), b.Add(7, 1, v), b.turn(false)); err != nil {
		t.Fatal(err)
	}
	m.move = func() {
		if err := b.settle(7, v); err != nil {
			t.Error(err)
		}
	}
	if n := b.Len(); n != 1 {
		t.Errorf("%d vectors while the only one moves", n)
	}
	m.move = func() {}
	if n := b.Len(); n != 1 || graph.Len() != 1 {
		t.Errorf("%d vectors, %d in the graph, when it has moved", n, graph.Len())
	}
	if err := errors.Join(b.drop(), graph.Close()); err != nil {
		t.Error(err)
	}
}
