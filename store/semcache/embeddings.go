package semcache

import (
	"context"
	"fmt"
	"sync/atomic"
)

// embeddings finds embedders. What they have made of which text they remember themselves,
// and they see to it that a text is embedded once, whoever asks (package embed).
type embeddings struct {
	find atomic.Pointer[func(name string) (Embedder, error)]
}

// SetEmbedders says how embedders are found by their name, "" being the default.
// Both results nil mean that there is none.
func (c *Cache) SetEmbedders(find func(name string) (Embedder, error)) {
	c.models.find.Store(&find)
}

func (c *Cache) embedder(name string) (Embedder, error) {
	find := c.models.find.Load()
	if find == nil || *find == nil {
		return nil, nil
	}
	return (*find)(name)
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
	v, err := e.Embed(ctx, []string{string(text)})
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrEmbedding, err)
	case len(v) != 1 || len(v[0]) != n.Dim:
		return nil, paramErrorf("%s has answered with another number of components", e.Name())
	}
	return Blob(v[0]), nil
}
