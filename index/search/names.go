package search

// Names lists the documents, in no order.
func (ix *Index) Names() []string {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	l := make([]string, 0, ix.mu.live.Len())
	for i := range ix.mu.docs {
		if d := &ix.mu.docs[i]; d.born != 0 && d.dead == 0 {
			l = append(l, d.name)
		}
	}
	return l
}

// Has reports whether the index holds a document of that name.
func (ix *Index) Has(name string) bool {
	st := ix.stripe(name)
	st.mu.Lock()
	defer st.mu.Unlock()
	e := st.names[name]
	return e != nil && e.label != noLabel
}

// Bytes is the memory that the figures account for.
func (in *Info) Bytes() int64 {
	return in.InvertedBytes + in.OffsetBytes + in.TagBytes + in.NumericBytes + in.GeoBytes + in.ShapeBytes +
		in.VectorBytes + in.DocTableBytes + in.KeyTableBytes + in.SortableBytes
}

// Sample picks up to n documents at random, by numbers below a limit; fewer where
// much of the index is empty.
func (ix *Index) Sample(n int, below func(int) int) []string {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	var l []string
	for tries := 4 * n; tries > 0 && len(l) < n && len(ix.mu.docs) > 0; tries-- {
		if d := &ix.mu.docs[below(len(ix.mu.docs))]; d.born != 0 && d.dead == 0 {
			l = append(l, d.name)
		}
	}
	return l
}
