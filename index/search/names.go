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

// Bytes is the memory that the figures account for.
func (in *Info) Bytes() int64 {
	return in.InvertedBytes + in.OffsetBytes + in.TagBytes + in.NumericBytes + in.GeoBytes +
		in.VectorBytes + in.DocTableBytes + in.KeyTableBytes + in.SortableBytes
}
