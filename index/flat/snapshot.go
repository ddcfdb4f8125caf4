package flat

import (
	"io"
	"math/bits"
	"unsafe"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/slot"
	"github.com/nearcache/nearcache/index/snapshot"
)

// A saved index is its arrays as they are, between two writes, but for the
// codes: whether there are any is the machine's business, and they are made of
// the vectors. See snapshot/FORMAT.md.

const savedKind = "FLAT"

// section is an arena with rows.
type section struct {
	name      string
	arena     *slot.Arena
	row, rows int
}

func (x *Index) sections(count int) []section {
	return []section{
		{"names", x.names, 8, count},
		{"live", x.live, 8, (count + 63) / 64},
		{"vectors", x.vectors, x.space.Stride, count},
	}
}

// Save writes the index, as it is at one moment, for [Load] and [Open].
// Searches go on meanwhile; additions and removals wait until it is written.
func (x *Index) Save(w io.Writer) error {
	x.gate.Lock()
	defer x.gate.Unlock()
	all := []snapshot.Section{snapshot.Versions(&x.labels)}
	for _, s := range x.sections(x.alloc.Count()) {
		b := unsafe.Slice((*byte)(s.arena.Base()), s.row*s.rows)
		all = append(all, snapshot.Section{Name: s.name, Row: s.row, Rows: s.rows, Data: snapshot.One(b)})
	}
	p := index.Params{Dim: x.space.Dim, Element: x.space.Element, Metric: x.space.Metric}
	return snapshot.Write(w, snapshot.Header{Kind: savedKind, Params: p}, all)
}

// Load reads an index that Save wrote. index.ErrParams if it is of another
// dimension, element type or metric. An [index.ErrCorrupt] names section and
// offset.
func Load(r io.Reader, p index.Params) (*Index, error) {
	f, err := snapshot.Read(r)
	if err != nil {
		return nil, err
	}
	return load(f, p)
}

// Open is [Load] of a file of size bytes whose pages become the index's
// memory, see [snapshot.Map]. What is written later is written to a copy of
// the page. The whole file is read once, to check it.
func Open(r io.ReaderAt, size int64, p index.Params) (*Index, error) {
	f, err := snapshot.Map(r, size)
	if err != nil {
		return nil, err
	}
	return load(f, p)
}

func load(f *snapshot.Reader, p index.Params) (*Index, error) {
	want := p
	want.M, want.Quant = f.Params.M, f.Params.Quant // which only a graph has
	if err := f.Is(savedKind, want); err != nil {
		return nil, err
	}
	x, err := New(p)
	if err != nil {
		return nil, err
	}
	if err := x.restore(f); err != nil {
		x.Close()
		return nil, err
	}
	return x, nil
}

// restore fills the new index.
func (x *Index) restore(f *snapshot.Reader) error {
	count, err := f.Rows("names", 8)
	if err != nil {
		return err
	}
	if count > slot.MaxSlots {
		return f.Bad("names", 0, "%d slots", count)
	}
	if err := f.Versions(&x.labels); err != nil {
		return err
	}
	for _, s := range x.sections(count) {
		if err := f.Fill(s.arena, s.name, s.row, s.rows); err != nil {
			return err
		}
	}
	if err := f.End(); err != nil {
		return err
	}
	if count == 0 {
		return nil
	}
	if err := x.alloc.Grow(count); err != nil { // the codes, which are derived
		return err
	}
	if w := (count + 63) / 64; bits.Len64(*x.word(w - 1)) > count-(w-1)*64 {
		return f.Bad("live", w-1, "a slot beyond %d is live", count)
	}
	if err := x.checkRows(f, uint32(count)); err != nil {
		return err
	}
	return x.derive(f, uint32(count))
}

// checkRows looks at the vectors that are live, and makes their codes.
func (x *Index) checkRows(f *snapshot.Reader, count uint32) error {
	return snapshot.Parallel(count, func() func(s uint32) error {
		floats := make([]float32, x.space.Dim)
		return func(s uint32) error {
			if !x.isLive(s) {
				return nil
			}
			if err := x.space.Check(x.row(s)); err != nil {
				return f.Bad("vectors", int(s), "%v", err)
			}
			if x.codes != nil {
				x.space.Floats(floats, x.row(s))
				x.codes.Encode(x.blocks.Base(), s, floats)
			}
			return nil
		}
	})
}

func (x *Index) isLive(s uint32) bool { return *x.word(int(s / 64))>>(s%64)&1 != 0 }

// derive makes what is not in the file.
func (x *Index) derive(f *snapshot.Reader, count uint32) error {
	var free []uint32
	for s := range count {
		if !x.isLive(s) {
			free = append(free, s)
			continue
		}
		l := index.Label(*x.name(s))
		if o := x.labels.Slot(l); o != slot.None {
			return f.Bad("names", int(s), "label %d is at slot %d too", l, o)
		}
		if x.labels.Version(l) == 0 {
			return f.Bad("names", int(s), "label %d has no version", l)
		}
		x.labels.SetSlot(l, s)
		x.len.Add(1)
	}
	x.alloc.Restore(int(count), free)
	return nil
}

var _ index.Saver = (*Index)(nil)
