package rdb

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/types/stream"
)

// The flags of an entry of a stream in a listpack.
const (
	streamDeleted    = 1
	streamSameFields = 2
)

// streamReader collects a stream.
type streamReader struct {
	*Reader
	v     *stream.Value
	names [][]byte // of a block
	pairs [][]byte
	texts []byte // room of the integers among them
}

// id reads an ID as two lengths.
func (r *Reader) id() stream.ID { return stream.ID{Ms: r.Length(), Seq: r.Length()} }

// rawID reads an ID as sixteen bytes.
func (r *Reader) rawID() stream.ID {
	if b := r.next(16); b != nil {
		return decodeID(b)
	}
	return stream.ID{}
}

func decodeID(b []byte) stream.ID {
	return stream.ID{Ms: binary.BigEndian.Uint64(b), Seq: binary.BigEndian.Uint64(b[8:])}
}

func (r *Reader) stream(typ byte) object.Object {
	x := streamReader{Reader: r, v: stream.New()}
	x.read(typ)
	return x.v
}

func (r *streamReader) read(typ byte) {
	for n := r.count(); n > 0 && r.err == nil; n-- {
		key := r.String()
		if len(key) != 16 {
			r.fail()
			return
		}
		first := decodeID(key)
		if s := r.String(); r.err == nil {
			r.block(first, listpack(s))
		}
	}
	length := r.Length()
	last, maxDeleted := r.id(), stream.ID{}
	added := length
	if typ >= typeStream2 {
		r.id() // of the first entry
		maxDeleted = r.id()
		added = r.Length()
	}
	if r.err != nil {
		return
	}
	if length != uint64(r.v.Len()) || added > math.MaxInt64 || !r.v.LoadEnd(last, maxDeleted, int64(added)) {
		r.fail()
		return
	}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		r.group(typ)
	}
	if typ >= typeStream4 {
		r.producers()
	}
}

// block reads the entries of a block: first how many there are and were deleted,
// and the names of the fields of the first entry.
func (r *streamReader) block(master stream.ID, w elements) {
	number := func() int64 {
		e, ok := w.read()
		n, isInt := e.int()
		if !ok || !isInt {
			r.fail()
		}
		return n
	}
	// Texts are kept while an entry is read: those in the listpack lie there
	// anyway.
	text := func() []byte {
		e, ok := w.read()
		if !ok {
			r.fail()
		}
		if !e.isInt {
			return e.b
		}
		var room [24]byte
		from := len(r.texts)
		r.texts = append(r.texts, e.bytes(&room)...)
		return r.texts[from:]
	}
	live, dead := number(), number()
	if live < 0 || live > math.MaxInt32 || dead < 0 || dead > math.MaxInt32 {
		r.fail()
	}
	r.names = r.names[:0]
	for n := number(); n > 0 && r.err == nil; n-- {
		r.names = append(r.names, slices.Clone(text()))
	}
	if number() != 0 {
		r.fail()
	}
	first := true
	for n := live + dead; n > 0 && r.err == nil; n-- {
		flags := number()
		id := stream.ID{Ms: master.Ms + uint64(number()), Seq: master.Seq + uint64(number())}
		fields, count := int64(len(r.names)), int64(3)
		same := flags&streamSameFields != 0
		if !same {
			fields = number()
			count += fields + 1
		}
		r.pairs, r.texts = r.pairs[:0], r.texts[:0]
		for i := int64(0); i < fields && r.err == nil; i++ {
			if same {
				r.pairs = append(r.pairs, r.names[i], text())
			} else {
				r.pairs = append(r.pairs, text(), text())
			}
		}
		if number() != count+fields {
			r.fail()
		}
		if flags&streamDeleted != 0 {
			dead--
		}
		if r.err != nil {
			return
		}
		if !r.v.Load(id, r.pairs, first, flags&streamDeleted != 0) {
			r.fail()
		}
		first = false
	}
	if dead != 0 || !w.done() {
		r.fail()
	}
}

// pendingEntry is an entry of a group before its consumer is known.
type pendingEntry struct {
	id          stream.ID
	time, count int64
	consumer    *stream.Consumer
	free        bool // nobody owns it
}

func (r *streamReader) group(typ byte) {
	name := slices.Clone(r.String())
	last := r.id()
	read := int64(stream.UnknownReads)
	if typ >= typeStream2 {
		read = int64(r.Length())
	}
	if r.err != nil {
		return
	}
	if read < stream.UnknownReads || read > r.v.Added() {
		r.fail()
		return
	}
	g := r.v.CreateGroup(name, last, read)
	if g == nil {
		r.fail()
		return
	}
	if typ == typeStream {
		g.Estimate()
	}
	var pending []pendingEntry
	for n := r.count(); n > 0 && r.err == nil; n-- {
		p := pendingEntry{id: r.rawID(), time: r.Millis()}
		count := r.Length()
		if count > math.MaxInt64 {
			r.fail()
		}
		p.count = int64(count)
		pending = append(pending, p)
	}
	sorted := func(a, b pendingEntry) int { return a.id.Compare(b.id) }
	if !slices.IsSortedFunc(pending, sorted) {
		slices.SortFunc(pending, sorted)
	}
	for i := 1; i < len(pending); i++ {
		if pending[i].id == pending[i-1].id {
			r.fail()
		}
	}
	find := func(id stream.ID) *pendingEntry {
		i, ok := slices.BinarySearchFunc(pending, id, func(p pendingEntry, id stream.ID) int { return p.id.Compare(id) })
		if !ok || pending[i].consumer != nil || pending[i].free {
			r.fail() // it is not pending, or for another one
			return &pendingEntry{}
		}
		return &pending[i]
	}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		r.consumer(typ, g, find)
	}
	var free []stream.ID
	if typ >= typeStream5 {
		for n := r.count(); n > 0 && r.err == nil; n-- {
			id := r.rawID()
			find(id).free = true
			free = append(free, id)
		}
	}
	if r.err != nil {
		return
	}
	for _, p := range pending {
		switch {
		case p.consumer != nil:
			g.Set(p.id, p.consumer, p.time, p.count)
		case !p.free:
			r.fail()
			return
		}
	}
	for _, id := range free {
		i, _ := slices.BinarySearchFunc(pending, id, func(p pendingEntry, id stream.ID) int { return p.id.Compare(id) })
		g.Release(id, pending[i].count)
	}
}

func (r *streamReader) consumer(typ byte, g *stream.Group, find func(stream.ID) *pendingEntry) {
	name := slices.Clone(r.String())
	seen := r.Millis()
	active := seen
	if typ >= typeStream3 {
		active = r.Millis()
	}
	if r.err != nil {
		return
	}
	c := g.CreateConsumer(name, seen)
	if c == nil {
		r.fail()
		return
	}
	c.Active = active
	for n := r.count(); n > 0 && r.err == nil; n-- {
		find(r.rawID()).consumer = c
	}
}

func (r *streamReader) producers() {
	duration, maxIIDs := r.Length(), r.Length()
	if r.err != nil {
		return
	}
	if duration < 1 || duration > stream.MaxDuration || maxIIDs < 1 || maxIIDs > stream.MaxMaxIIDs {
		r.fail()
		return
	}
	r.v.Configure(int64(duration), int64(maxIIDs))
	for n := r.count(); n > 0 && r.err == nil; n-- {
		pid := slices.Clone(r.String())
		for k := r.count(); k > 0 && r.err == nil; k-- {
			iid := slices.Clone(r.String())
			id := r.id()
			if r.err != nil {
				return
			}
			if _, twice := r.v.Lookup(pid, iid, 0); !twice {
				r.v.Remember(pid, iid, id, 0)
			}
		}
	}
	added, repeated := r.Length(), r.Length()
	if added > math.MaxInt64 || repeated > math.MaxInt64 {
		r.fail()
		return
	}
	r.v.SetProducerCounts(int64(added), int64(repeated))
}

// ---- writing

func appendID(b []byte, id stream.ID) []byte { return appendLength(appendLength(b, id.Ms), id.Seq) }

func appendRawID(b []byte, id stream.ID) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, id.Ms), id.Seq)
}

func appendStream(b []byte, v *stream.Value, newest int, put form) ([]byte, int) {
	typ, version := byte(typeStream3), version72
	if newest < version72 { // which does not know when a consumer last got something
		typ, version = typeStream2, version70
	}
	p := v.Producers()
	if p != (stream.Producers{Duration: stream.DefaultDuration, MaxIIDs: stream.DefaultMaxIIDs}) {
		typ, version = typeStream4, version86
	}
	for _, g := range v.Groups() {
		if g.Unowned() > 0 {
			typ, version = typeStream5, version88
		}
	}
	blocks := 0
	v.EachBlock(func(x stream.Block) { blocks += min(x.Live(), 1) }) // Redis takes no others
	b = appendLength(append(b, typ), uint64(blocks))
	var w listpackWriter
	v.EachBlock(func(x stream.Block) {
		if x.Live() == 0 {
			return
		}
		b = appendRawID(appendLength(b, 16), x.First())
		w = newListpack(w.b[:0])
		appendBlock(&w, x)
		b = put(b, w.end())
	})
	b = appendID(appendLength(b, uint64(v.Len())), v.Last())
	b = appendLength(appendID(appendID(b, v.First()), v.MaxDeleted()), uint64(v.Added()))
	b = appendLength(b, uint64(len(v.Groups())))
	for _, g := range v.Groups() {
		b = appendGroup(b, g, typ, put)
	}
	if typ >= typeStream4 {
		b = appendProducers(b, v, p, put)
	}
	return b, version
}

func appendBlock(w *listpackWriter, x stream.Block) {
	w.int(int64(x.Live()))
	w.int(int64(x.Dead()))
	w.int(int64(x.Fields()))
	x.Names(w.add)
	w.int(0)
	master := x.First()
	var it stream.BlockIter
	for x.Walk(&it); it.Next(); {
		flags, count := int64(0), 3+it.Fields
		if it.Deleted {
			flags |= streamDeleted
		}
		if it.Same {
			flags |= streamSameFields
		} else {
			count += it.Fields + 1
		}
		w.int(flags)
		w.int(int64(it.ID.Ms - master.Ms))
		w.int(int64(it.ID.Seq - master.Seq))
		if !it.Same {
			w.int(int64(it.Fields))
		}
		for range it.Fields {
			name, value := it.Field()
			if !it.Same {
				w.add(name)
			}
			w.add(value)
		}
		w.int(int64(count))
	}
}

func appendGroup(b []byte, g *stream.Group, typ byte, put form) []byte {
	b = put(b, []byte(g.Name))
	b = appendLength(appendID(b, g.Last()), uint64(g.Read()))
	b = appendLength(b, uint64(g.Len()))
	g.Each(nil, stream.MinID, func(p stream.Pending) bool {
		b = appendLength(appendMillis(appendRawID(b, p.ID), p.Time), uint64(p.Count))
		return true
	})
	b = appendLength(b, uint64(len(g.Consumers())))
	for _, c := range g.Consumers() {
		b = put(b, []byte(c.Name))
		b = appendMillis(b, c.Seen)
		if typ >= typeStream3 {
			b = appendMillis(b, c.Active)
		}
		b = appendLength(b, uint64(c.Len()))
		g.Each(c, stream.MinID, func(p stream.Pending) bool {
			b = appendRawID(b, p.ID)
			return true
		})
	}
	if typ >= typeStream5 {
		b = appendLength(b, uint64(g.Unowned()))
		g.EachOldest(func(p stream.Pending) bool {
			if p.Consumer == nil {
				b = appendRawID(b, p.ID)
			}
			return p.Consumer == nil
		})
	}
	return b
}

func appendProducers(b []byte, v *stream.Value, p stream.Producers, put form) []byte {
	b = appendLength(appendLength(b, uint64(p.Duration)), uint64(p.MaxIIDs))
	b = appendLength(b, uint64(p.PIDs))
	v.EachProducer(func(pid string, n int, each func(func(iid string, id stream.ID))) {
		b = appendLength(put(b, []byte(pid)), uint64(n))
		each(func(iid string, id stream.ID) {
			b = appendID(put(b, []byte(iid)), id)
		})
	})
	return appendLength(appendLength(b, uint64(p.Added)), uint64(p.Repeated))
}
