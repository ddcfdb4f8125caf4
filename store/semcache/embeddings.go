package semcache

import (
	"container/list"
	"context"
	"fmt"
	"sync"
)

// embeddings is what embedders have made, by model and text, the last used kept.
// It also gives one call to those who ask for the same text at once.
type embeddings struct {
	mu struct {
		sync.Mutex
		find  func(name string) (Embedder, error)
		known map[embedded]*list.Element
		order list.List // of *embedding, the last used first
		bytes int
	}
}

type embedded struct{ model, text string }

type embedding struct {
	embedded
	blob  []byte
	err   error
	ready chan struct{}
}

// maxEmbedded is how many bytes of texts and vectors are kept.
const maxEmbedded = 32 << 20

func (x *embedding) size() int { return len(x.text) + len(x.blob) + 200 }

// SetEmbedders says how embedders are found by their name, "" being the default.
// Both results nil mean that there is none.
func (c *Cache) SetEmbedders(find func(name string) (Embedder, error)) {
	c.models.mu.Lock()
	defer c.models.mu.Unlock()
	c.models.mu.find = find
}

func (c *Cache) embedder(name string) (Embedder, error) {
	c.models.mu.Lock()
	find := c.models.mu.find
	c.models.mu.Unlock()
	if find == nil {
		return nil, nil
	}
	return find(name)
}

// Embed is the vector of a text, as a blob, by the namespace's embedder.
func (n *Namespace) Embed(ctx context.Context, text []byte) ([]byte, error) {
	e, err := n.c.embedder(n.Params.Embed)
	switch {
	case err != nil:
		return nil, err
	case e == nil, n.Params.Embed == "" && e.Dim() != n.Dim && e.Dim() != 0: // the server's default is not its own
		return nil, ErrNoVector
	case e.Dim() != n.Dim && e.Dim() != 0:
		return nil, paramErrorf("the vectors of %s have %d components, the namespace wants %d", e.Name(), e.Dim(), n.Dim)
	}
	m := &n.c.models
	k := embedded{e.Name(), string(text)}
	m.mu.Lock()
	if m.mu.known == nil {
		m.mu.known = map[embedded]*list.Element{}
	}
	if at := m.mu.known[k]; at != nil {
		m.mu.order.MoveToFront(at)
		m.mu.Unlock()
		x := at.Value.(*embedding)
		select {
		case <-x.ready:
			return x.blob, x.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	x := &embedding{embedded: k, ready: make(chan struct{})}
	at := m.mu.order.PushFront(x)
	m.mu.known[k] = at
	m.mu.Unlock()

	v, err := e.Embed(ctx, []string{k.text})
	switch {
	case err != nil:
		x.err = fmt.Errorf("%w: %w", ErrEmbedding, err)
	case len(v) != 1 || len(v[0]) != n.Dim:
		x.err = paramErrorf("%s has answered with another number of components", e.Name())
	default:
		x.blob = Blob(v[0])
	}
	close(x.ready)
	m.mu.Lock()
	defer m.mu.Unlock()
	if x.err != nil { // the next one tries again
		m.mu.order.Remove(at)
		delete(m.mu.known, k)
		return nil, x.err
	}
	m.mu.bytes += x.size()
	for at := m.mu.order.Back(); m.mu.bytes > maxEmbedded && at != nil; {
		old, prev := at.Value.(*embedding), at.Prev()
		if old.blob != nil {
			m.mu.bytes -= old.size()
			m.mu.order.Remove(at)
			delete(m.mu.known, old.embedded)
		}
		at = prev
	}
	return x.blob, nil
}
