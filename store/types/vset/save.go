package vset

import (
	"bytes"
	"encoding/binary"
	"io"

	"github.com/nearcache/nearcache/index/snapshot"
)

// What is saved of a set is what takes long to make again: its graph, and which element each
// label is. After a start the elements come as ever, with VADD; one whose row is
// what the graph has under its label takes it, and is in the graph already. So it does not matter when
// the graph was saved: what has changed since is put beside it. FORMAT.md of index/snapshot
// describes the table of labels.

const (
	tableMagic   = "NEARSET\n"
	tableVersion = 1
	tableHead    = 32
)

// HasGraph reports whether there is something to save.
func (v *Value) HasGraph() bool { return v.graph != nil }

// Changes counts what has happened to the vectors.
func (v *Value) Changes() uint64 { return v.changes }

// Save writes the graph. It needs no lock, and nobody waits for it: rows stay beside the graph
// meanwhile, as what Late counts.
func (v *Value) Save(w io.Writer) error {
	defer v.hold()()
	return v.graph.save(w)
}

// AppendTable appends the table of labels, whose first part it begins where from is "", and of which each part
// has so many elements at most. next is where the next part begins, "" at the end. Elements that came since
// the graph was saved may be there; the graph does not know these.
func (v *Value) AppendTable(b []byte, from string, most int) (_ []byte, next string) {
	if from == "" {
		b = append(b, tableMagic...)
		b = binary.LittleEndian.AppendUint32(b, tableVersion)
		b = binary.LittleEndian.AppendUint32(b, 0)
		b = binary.LittleEndian.AppendUint64(b, v.changes)
		b = binary.LittleEndian.AppendUint64(b, uint64(v.used))
	}
	v.order.from(&v.elements, from, func(l uint32) bool {
		x := v.at(l)
		if most == 0 {
			next = x.name
			return false
		}
		most--
		b = binary.AppendUvarint(b, uint64(len(x.name))+1)
		b = append(b, x.name...)
		b = binary.AppendUvarint(b, uint64(l))
		return true
	})
	if next == "" {
		b = append(b, 0)
	}
	return b, next
}

// EndTable appends what stands behind the table, of which sum is the CRC-32 with Castagnoli's polynomial.
func EndTable(b []byte, sum uint32) []byte { return binary.LittleEndian.AppendUint32(b, sum) }

type labelTable struct {
	changes uint64
	labels  uint32
	claims  map[string]uint32
	named   []bool // by label
}

// parseTable reads what AppendTable wrote.
func parseTable(b []byte) (*labelTable, error) {
	r, err := snapshot.OpenTable(b, tableMagic, tableVersion, tableHead)
	if err != nil {
		return nil, err
	}
	labels := binary.LittleEndian.Uint64(r.Head[12:])
	if zero := binary.LittleEndian.Uint32(r.Head); zero != 0 || labels > maxSparse*uint64(len(b)) {
		return nil, snapshot.BadTable("%d labels in %d bytes", labels, len(b))
	}
	t := &labelTable{changes: binary.LittleEndian.Uint64(r.Head[4:]), labels: uint32(labels), claims: map[string]uint32{}, named: make([]bool, labels)}
	for r.Next() {
		// It may have come behind the first part, and then there may be two of a name or of a label: the
		// graph knows at most one.
		if r.Label >= labels || t.named[r.Label] {
			continue
		}
		if _, twice := t.claims[r.Name]; !twice {
			t.named[r.Label] = true
			t.claims[r.Name] = uint32(r.Label)
		}
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	if int(labels) > maxSparse*(len(t.claims)+maxChunk) {
		return nil, snapshot.BadTable("%d labels for %d elements", labels, len(t.claims))
	}
	return t, nil
}

// maxSparse is how many labels there may be for an element: each takes memory, and the graph of a set that has shrunk by
// more is soon made.
const maxSparse = 64

// Restore has the set take over a saved graph: the pages of f become its memory. What the set
// has already, and what comes until Restored, takes its place in it, or beside it. No search may be
// under way. Where anything does not hold the error says what, and the set is as before.
func (v *Value) Restore(table []byte, f io.ReaderAt, size int64) error {
	t, err := parseTable(table)
	if err != nil {
		return err
	}
	g, err := openGraph(f, size, indexParams(v.Params, v.ID))
	if err != nil {
		return err
	}
	type old struct {
		name string
		attr *string
		row  []byte
		scale
	}
	var all []old
	v.order.from(&v.elements, "", func(l uint32) bool {
		x := v.at(l)
		all = append(all, old{x.name, x.attr.Load(), bytes.Clone(v.row(l)), x.scale})
		return true
	})
	last := v.Last
	v.elements.reset()
	v.order, v.byName, v.attrs = order{}, map[string]uint32{}, 0
	v.late.Store(0)
	v.mu.left, v.mu.leaving = nil, nil
	v.graph, v.rows = g, nil
	v.changes = max(v.changes, t.changes)
	v.claims = t.claims
	for range t.labels {
		v.next()
	}
	for l, named := range t.named {
		if !named {
			v.disown(uint32(l))
		}
	}
	for _, o := range all {
		var attr []byte
		if o.attr != nil {
			attr = []byte(*o.attr)
		}
		if _, job := v.set([]byte(o.name), attr, o.row, o.scale, DefaultEF); job != nil {
			job.Postpone()
		}
	}
	v.Last = last
	return nil
}

// disown takes a label out of a graph that was restored, and frees it.
func (v *Value) disown(l uint32) {
	v.changes++
	v.graph.remove(l, v.changes)
	v.free = append(v.free, l)
}

// Restored ends what Restore began: labels that no element has taken leave the graph.
func (v *Value) Restored() {
	for _, l := range v.claims {
		v.disown(l)
	}
	v.claims = nil
}

// claim is the label of an element whose row is in the graph already.
func (v *Value) claim(name, row []byte) (uint32, bool) {
	l, ok := v.claims[string(name)]
	if !ok {
		return 0, false
	}
	if !bytes.Equal(v.graph.row(make([]byte, 0, len(row)), l), row) {
		return 0, false
	}
	delete(v.claims, string(name))
	return l, true
}
