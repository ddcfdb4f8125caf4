package search

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/snapshot"
)

// What is saved of an index is what takes long to make again: its graphs, and which
// document each label is, with hashes of its vectors. After a start the documents
// come as ever, with Put; one whose vectors have the hashes that were saved takes its
// label, and is in the graphs already. So it does not matter when the graphs were
// saved: what has changed since, and what was not saved at all, is put beside the graphs
// and goes into them in the background. So are documents with several vectors in a field: which
// labels those have is not saved.
//
// FORMAT.md of package snapshot describes the table of labels.

// graphKind is the kind of index that is worth saving.
const graphKind = "HNSW"

// claim is what was saved of a document.
type claim struct {
	label  uint32
	hashes []uint64
}

// ErrNothingToSave is returned for an index without graphs.
var ErrNothingToSave = errors.New("search: the index has no graph")

// Graphs are the names of the fields that have one.
func (ix *Index) Graphs() (fields []string) {
	ix.life.RLock()
	defer ix.life.RUnlock()
	for _, a := range ix.vecs {
		if a.graph != nil {
			fields = append(fields, a.Name)
		}
	}
	return fields
}

// Changes counts what has happened to the graphs.
func (ix *Index) Changes() uint64 { return ix.seq.Load() }

// Save writes the index's graphs, each to the writer that create returns for its field, then the
// table of labels. Nobody waits for it: additions go beside the graphs meanwhile, from where Absorb
// brings them in.
func (ix *Index) Save(create func(field string) (io.WriteCloser, error), table io.Writer) (err error) {
	if !ix.saves.TryLock() {
		return errors.New("search: the index is being saved already, or closed")
	}
	defer ix.saves.Unlock()
	ix.life.RLock()
	vecs, closed := ix.vecs, ix.closed
	ix.life.RUnlock() // files may be slow
	switch {
	case closed:
		return ErrClosed
	case !slices.ContainsFunc(vecs, func(a *attribute) bool { return a.graph != nil }):
		return ErrNothingToSave
	}
	ix.reclaim.Lock()
	ix.saving = true
	ix.reclaim.Unlock()
	defer func() {
		ix.reclaim.Lock()
		ix.saving = false
		ix.reclaim.Unlock()
		ix.life.RLock()
		defer ix.life.RUnlock()
		ix.sweep()
	}()
	for _, a := range vecs {
		if a.graph == nil {
			continue
		}
		if err := a.graph.turn(true); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, a.graph.turn(false)) }()
	}
	for _, a := range vecs {
		if a.graph == nil {
			continue
		}
		w, err := create(a.Name)
		if err != nil {
			return err
		}
		if err := errors.Join(a.graph.Save(w), w.Close()); err != nil {
			return err
		}
	}
	return ix.saveTable(table, len(vecs))
}

const (
	tableMagic   = "NEARDOC\n"
	tableVersion = 1
	tableHead    = 40
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// saveTable writes which document each label is, of those that have as many vectors as were saved.
// Labels that were given since the graphs were saved are among them: the graphs do not know those,
// so nobody will claim them.
func (ix *Index) saveTable(w io.Writer, vecs int) error {
	sum := crc32.New(castagnoli)
	out := bufio.NewWriterSize(io.MultiWriter(w, sum), 256<<10)
	var b []byte
	ix.mu.RLock()
	labels := len(ix.mu.docs)
	ix.mu.RUnlock()
	b = append(b, tableMagic...)
	b = binary.LittleEndian.AppendUint32(b, tableVersion)
	b = binary.LittleEndian.AppendUint32(b, uint32(vecs))
	b = binary.LittleEndian.AppendUint64(b, ix.key)
	b = binary.LittleEndian.AppendUint64(b, ix.seq.Load())
	b = binary.LittleEndian.AppendUint64(b, uint64(labels))
	if _, err := out.Write(b); err != nil {
		return err
	}
	for i := range ix.stripes {
		st := &ix.stripes[i]
		b = b[:0]
		st.mu.Lock()
		for name, e := range st.names {
			if e.label == noLabel || int(e.label) >= labels || len(e.hashes) != vecs {
				continue
			}
			b = binary.AppendUvarint(b, uint64(len(name))+1)
			b = append(b, name...)
			b = binary.AppendUvarint(b, uint64(e.label))
			for _, h := range e.hashes {
				b = binary.LittleEndian.AppendUint64(b, h)
			}
		}
		st.mu.Unlock()
		if _, err := out.Write(b); err != nil {
			return err
		}
	}
	if _, err := out.Write([]byte{0}); err != nil { // no more names
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	_, err := w.Write(binary.LittleEndian.AppendUint32(nil, sum.Sum32()))
	return err
}

// labelTable is a table that was read.
type labelTable struct {
	key, seq uint64
	labels   int
	claims   map[string]claim
}

// parseTable reads what saveTable wrote, for an index with so many vectors.
func parseTable(b []byte, vecs int) (*labelTable, error) {
	r, err := snapshot.OpenTable(b, tableMagic, tableVersion, tableHead)
	if err != nil {
		return nil, err
	}
	n, labels := binary.LittleEndian.Uint32(r.Head), binary.LittleEndian.Uint64(r.Head[20:])
	if int(n) != vecs || labels >= uint64(noLabel) {
		return nil, snapshot.BadTable("%d vectors, %d labels", n, labels)
	}
	t := &labelTable{
		key: binary.LittleEndian.Uint64(r.Head[4:]), seq: binary.LittleEndian.Uint64(r.Head[12:]),
		labels: int(labels), claims: map[string]claim{},
	}
	seen := make(map[uint32]struct{})
	for r.Next() {
		if r.Label >= labels {
			return nil, snapshot.BadTable("label %d of %d", r.Label, labels)
		}
		c := claim{label: uint32(r.Label), hashes: make([]uint64, vecs)}
		hashes := r.Bytes(8 * vecs)
		if hashes == nil {
			break
		}
		for i := range c.hashes {
			c.hashes[i] = binary.LittleEndian.Uint64(hashes[8*i:])
		}
		if _, twice := seen[c.label]; twice {
			return nil, snapshot.BadTable("label %d twice", c.label)
		}
		seen[c.label] = struct{}{}
		if _, twice := t.claims[r.Name]; twice {
			return nil, snapshot.BadTable("a name twice")
		}
		t.claims[r.Name] = c
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	return t, nil
}

// Saved is what was saved of an index, read and checked.
type Saved struct {
	table  *labelTable
	vecs   []*attribute
	graphs []index.Index // of each of vecs; nil of one without
}

// Read reads what was saved of an index such as this one, for Restore. open opens the file of a field, which becomes the
// graph's memory. The index itself is not touched: it may be used meanwhile.
func (ix *Index) Read(table []byte, open func(field string) (f io.ReaderAt, size int64, err error)) (*Saved, error) {
	ix.life.RLock()
	s := &Saved{vecs: ix.vecs, graphs: make([]index.Index, len(ix.vecs))}
	ix.life.RUnlock()
	var err error
	if s.table, err = parseTable(table, len(s.vecs)); err != nil {
		return nil, err
	}
	for i, a := range s.vecs {
		if a.graph == nil {
			continue
		}
		f, size, err := open(a.Name)
		if err == nil {
			s.graphs[i], err = a.load(f, size, a.Vector)
			if c, ok := f.(io.Closer); ok {
				_ = c.Close()
			}
		}
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("field %s: %w", a.Name, err)
		}
	}
	return s, nil
}

// Close gives up what was read, where no Restore has taken it.
func (s *Saved) Close() {
	for _, g := range s.graphs {
		if g != nil {
			_ = g.Close()
		}
	}
	s.graphs = nil
}

// Restore makes an index that is empty take over what Read has read for it. Put follows for each document, then
// Restored. Where the index has other fields by now there is an error, and it is empty as before.
func (ix *Index) Restore(s *Saved) error {
	if !slices.Equal(s.vecs, ix.vecs) {
		s.Close()
		return errors.New("the fields have changed")
	}
	for i, a := range ix.vecs {
		if a.graph == nil {
			continue
		}
		_ = a.graph.graph.Close()
		a.graph.graph = s.graphs[i]
	}
	ix.key, ix.claims = s.table.key, s.table.claims
	ix.seq.Store(s.table.seq)
	ix.mu.Lock()
	ix.mu.docs = make([]doc, s.table.labels)
	ix.mu.Unlock()
	return nil
}

// Postpone sends vectors beside the graphs until Restored: many documents are about to be put.
func (ix *Index) Postpone() error {
	for _, a := range ix.vecs {
		if a.graph != nil {
			if err := a.graph.turn(true); err != nil {
				return err
			}
		}
	}
	return nil
}

// claimed is the label of a document whose vectors are in the graphs already.
func (ix *Index) claimed(name string, p *prepared) (uint32, bool) {
	c, ok := ix.claims[name]
	if !ok || !ix.single(p) || !slices.Equal(c.hashes, p.hashes) {
		return 0, false
	}
	ix.mu.RLock()
	taken := ix.mu.docs[c.label].born != 0
	ix.mu.RUnlock()
	if taken {
		return 0, false
	}
	for i, a := range ix.vecs {
		if p.hashes[i] == 0 {
			continue
		}
		if a.graph == nil { // made anew
			if a.vectors.Add(index.Label(c.label), ix.seq.Add(1), p.values[a.at]) != nil {
				return 0, false
			}
		} else if !a.graph.graph.Has(index.Label(c.label)) {
			return 0, false
		}
	}
	return c.label, true
}

// Restored ends what Restore and Postpone began: labels that nobody has claimed leave the graphs, and
// what waits beside them is Unabsorbed.
func (ix *Index) Restored() error {
	var free []uint32
	if ix.claims != nil {
		ix.mu.Lock()
		for l := range ix.mu.docs {
			if ix.mu.docs[l].born == 0 {
				free = append(free, uint32(l))
			}
		}
		ix.mu.Unlock()
		for _, a := range ix.vecs {
			for _, l := range free {
				a.vectors.Remove(index.Label(l), ix.seq.Add(1))
			}
		}
		ix.mu.Lock()
		ix.mu.free = append(ix.mu.free, free...)
		ix.mu.Unlock()
		ix.claims = nil
	}
	var err error
	for _, a := range ix.vecs {
		if a.graph != nil {
			err = errors.Join(err, a.graph.turn(false))
		}
	}
	return err
}

// Unabsorbed lists documents of which a vector is beside its graph.
func (ix *Index) Unabsorbed() []string {
	ix.life.RLock()
	defer ix.life.RUnlock()
	if ix.closed {
		return nil
	}
	var names []string
	seen := map[index.Label]struct{}{}
	for _, a := range ix.vecs {
		if a.graph == nil {
			continue
		}
		l := a.vectors.owners(a.graph.waiting())
		slices.Sort(l)
		ix.mu.RLock()
		for _, label := range l {
			if _, twice := seen[label]; twice || int(label) >= len(ix.mu.docs) {
				continue
			}
			seen[label] = struct{}{}
			if d := &ix.mu.docs[label]; d.born != 0 && d.dead == 0 {
				names = append(names, d.name)
			}
		}
		ix.mu.RUnlock()
	}
	return names
}

// Absorb brings a document's vectors into the graphs, where they are what value says; if they
// are not, a Put is on its way.
func (ix *Index) Absorb(name string, value func(field int) (Value, bool)) error {
	ix.life.RLock()
	defer ix.life.RUnlock()
	if ix.closed {
		return ErrClosed
	}
	p := ix.prepare(value)
	defer p.release()
	if p.err != nil {
		return nil
	}
	st := ix.stripe(name)
	st.mu.Lock()
	defer st.mu.Unlock()
	e := st.names[name]
	if e == nil || e.label == noLabel || !slices.Equal(e.hashes, p.hashes) {
		return nil
	}
	for i, a := range ix.vecs {
		if a.graph == nil || p.hashes[i] == 0 {
			continue
		}
		if err := a.graph.settle(index.Label(e.label), p.values[a.at]); err != nil {
			return err
		}
		more := p.others[a.at].values
		for j, o := range a.vectors.others(index.Label(e.label)) {
			if err := a.graph.settle(o, more[j]); err != nil {
				return err
			}
		}
	}
	return nil
}

// Absorbed gives up what was beside the graphs, if nothing is left there.
func (ix *Index) Absorbed() error {
	ix.life.RLock()
	defer ix.life.RUnlock()
	if ix.closed {
		return nil
	}
	var err error
	for _, a := range ix.vecs {
		if a.graph != nil {
			err = errors.Join(err, a.graph.drop())
		}
	}
	return err
}
