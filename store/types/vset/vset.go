package vset

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync/atomic"
	"unsafe"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/store/object"
)

// Type is the descriptor of vector sets.
var Type = &object.Type{ID: object.VectorSet, Name: "vectorset", New: func() object.Object { return New(Params{Dim: 1, M: DefaultM}) }}

// Limits and defaults, which are Redis'.
const (
	MaxDim    = 1 << 16
	MinM      = 4
	MaxM      = 4096
	DefaultM  = 16
	DefaultEF = 200 // of an insertion
	SearchEF  = 100
)

// Params are what a set is made with.
type Params struct {
	Dim   int // of the vectors that are kept
	Input int // of those that come, where they are projected to fewer dimensions; else 0
	Quant Quant
	M     int
}

// Value is a vector set. Make it with New.
type Value struct {
	Params
	ID   uint64 // as VINFO has it
	Last uint64 // how many vectors were ever entered

	byName map[string]uint32
	order  order
	elements
	attrs   int    // elements that have attributes
	changes uint64 // what numbers elements, and versions in the graph
	rows    []byte // of few: one at label*stride
	graph   *graph
	beside
	claims map[string]uint32 // of a saved graph, see Restore
}

var lastID atomic.Uint64

// New makes an empty set.
func New(p Params) *Value {
	return &Value{Params: p, ID: lastID.Add(1) - 1, byName: map[string]uint32{}}
}

// Len is the number of elements.
func (v *Value) Len() int { return len(v.byName) }

// Attributes is the number of elements that have attributes.
func (v *Value) Attributes() int { return v.attrs }

// Levels is the highest level of the graph.
func (v *Value) Levels() int {
	if v.graph == nil {
		return 0
	}
	return max(v.graph.stats().Levels-1, 0)
}

// Type implements object.Object.
func (v *Value) Type() *object.Type { return Type }

// Encoding implements object.Object: Redis has it for values of modules.
func (v *Value) Encoding() string { return "raw" }

// perName is what the map and the order take for an element.
const perName = 48

// Size implements object.Object.
func (v *Value) Size() int {
	n := int(unsafe.Sizeof(*v)) + v.elements.size() + cap(v.rows) + perName*len(v.byName)
	if v.graph != nil {
		n += int(v.graph.stats().Bytes)
	}
	return n
}

// Clone implements object.Object. As in Redis, there is none.
func (v *Value) Clone() object.Object { return nil }

// stride is the distance of rows while there are few.
func (v *Value) stride() int { return padded(v.Quant.rowSize(v.Dim)) }

// few is how many elements are kept without a graph. To make one of them costs
// a comparison of each with each, which is to take a few ms at most.
func (v *Value) few() int {
	const most, least, compared = 512, 64, 1 << 28 // bytes
	return min(max(int(math.Sqrt(compared/float64(v.Quant.rowSize(v.Dim)))), least), most)
}

// Set gives an element a vector of Dim components, which it uses up. attr are new
// attributes, "" for none; nil leaves those of an element that is there. ef is the
// pool of the insertion. It reports whether the element is new. The job, if there
// is one, is to be done when the key's lock is free. ok is false for a vector that
// cannot be kept; then nothing is changed.
func (v *Value) Set(name, attr []byte, vector []float32, ef int) (added bool, job *Job, ok bool) {
	row, s, ok := v.Quant.encode(nil, vector)
	if !ok {
		return false, nil, false
	}
	added, job = v.set(name, attr, row, s, ef)
	return added, job, true
}

func (v *Value) set(name, attr, row []byte, s scale, ef int) (added bool, job *Job) {
	v.settle()
	v.Last++
	v.changes++
	old, there := v.byName[string(name)]
	if there && v.graph == nil {
		x := v.at(old)
		x.number, x.scale = v.changes, s
		copy(v.rows[int(old)*v.stride():], row)
		v.setAttr(x, attr)
		return false, nil
	}
	label, claimed := v.claim(name, row)
	if !claimed {
		label = v.take()
	}
	x := v.at(label)
	x.number, x.scale = v.changes, s
	if there {
		before := v.at(old)
		x.name = before.name
		x.attr.Store(before.attr.Load())
		v.bytes += len(x.name)
		if a := x.attr.Load(); a != nil {
			v.bytes += len(*a)
		}
		before.state.Store(replaced)
		v.order.replace(&v.elements, old, label)
	} else {
		x.name = string(name)
		v.bytes += len(x.name)
		v.order.insert(&v.elements, label)
	}
	v.byName[x.name] = label
	if !there && attr != nil && len(attr) == 0 {
		v.attrs++ // as in Redis: a new element keeps them, empty
		x.attr.Store(new(string))
	} else {
		v.setAttr(x, attr)
	}
	if v.graph == nil {
		v.put(label, row)
		if len(v.byName) > v.few() {
			v.grow()
		}
		return true, nil
	}
	var w *waiting
	if !claimed {
		w = &waiting{row: slices.Grow(row, padded(len(row))-len(row)), number: x.number}
		x.row.Store(w) // last: who sees it, without a lock, sees the rest
	}
	if there {
		v.arrived(v.at(old), nil)
	} else if claimed {
		return true, nil
	}
	return !there, &Job{v: v, graph: v.graph, waits: w, label: label, number: x.number, old: old, replaces: there, ef: ef}
}

// put writes a row of few.
func (v *Value) put(label uint32, row []byte) {
	n := v.stride()
	if end := (int(label) + 1) * n; end > len(v.rows) {
		v.rows = append(v.rows, make([]byte, end-len(v.rows))...)
	}
	copy(v.rows[int(label)*n:], row)
}

// settle takes back the labels that were replaced.
func (v *Value) settle() {
	if v.graph == nil {
		return
	}
	for _, l := range v.takeLeft() {
		v.drop(l)
	}
}

func (v *Value) setAttr(x *element, attr []byte) (changed bool) {
	if attr == nil {
		return false
	}
	if a := x.attr.Load(); a != nil {
		v.bytes -= len(*a)
		v.attrs--
	}
	if len(attr) == 0 {
		return x.attr.Swap(nil) != nil
	}
	s := string(attr)
	v.bytes += len(s)
	v.attrs++
	x.attr.Store(&s)
	return true
}

// grow makes the graph. Where the machine has no room for one, all goes on as
// before.
func (v *Value) grow() {
	g, err := v.build()
	if err != nil {
		return
	}
	v.graph, v.rows = g, nil
}

// build makes a graph of few.
func (v *Value) build() (*graph, error) {
	g, err := newGraph(indexParams(v.Params, v.ID))
	v.order.from(&v.elements, "", func(l uint32) bool {
		if err == nil {
			err = g.add(l, v.at(l).number, v.row(l), DefaultEF)
		}
		return err == nil
	})
	return g, err
}

func indexParams(v Params, seed uint64) index.Params {
	p := index.Params{Dim: v.Dim, M: min(v.M, index.MaxM), EFConstruction: DefaultEF, EFRuntime: SearchEF, Seed: seed}
	switch v.Quant {
	case F32:
		p.Metric, p.Quant = index.IP, index.QuantSQ8 // which keeps the vectors as they are
		if p.Dim > index.MaxDim {
			p.Quant = index.QuantNone
		}
	case Q8:
		p.Element, p.Metric = index.Int8, index.Cosine
	case Bin:
		p.Dim, p.Element, p.Metric = v.Quant.rowSize(v.Dim), index.Bits, index.L2
	}
	return p
}

// row is the row of a label that is in use. It is valid until the value changes;
// its capacity is as a probe wants it.
func (v *Value) row(label uint32) []byte {
	size := v.Quant.rowSize(v.Dim)
	if v.graph == nil {
		from := int(label) * v.stride()
		return v.rows[from : from+size : from+v.stride()]
	}
	row := make([]byte, 0, padded(size))
	if w := v.at(label).row.Load(); w != nil {
		return append(row, w.row...)
	}
	return v.graph.row(row, label)
}

// Remove removes an element and reports whether it was there.
func (v *Value) Remove(name []byte) bool {
	label, ok := v.byName[string(name)]
	if !ok {
		return false
	}
	v.settle()
	v.order.remove(&v.elements, label)
	delete(v.byName, string(name))
	x := v.at(label)
	if x.attr.Load() != nil {
		v.attrs--
	}
	v.changes++ // later than the addition, which may still wait
	if v.graph == nil {
		v.drop(label)
		return true
	}
	v.arrived(x, nil)
	v.leave(label, v.changes)
	v.settle()
	return true
}

// Element is an element as commands see it, valid until the value changes.
type Element struct {
	v     *Value
	label uint32
}

// Find finds an element.
func (v *Value) Find(name []byte) (Element, bool) {
	l, ok := v.byName[string(name)]
	return Element{v, l}, ok
}

// Quant is that of the set.
func (e Element) Quant() Quant { return e.v.Quant }

// Name is the element's name.
func (e Element) Name() string { return e.v.at(e.label).name }

// Attr are the element's attributes; false where it has none.
func (e Element) Attr() (string, bool) {
	if a := e.v.at(e.label).attr.Load(); a != nil {
		return *a, true
	}
	return "", false
}

// SetAttr sets the element's attributes, or takes them away, if empty.
func (e Element) SetAttr(attr []byte) {
	if attr == nil {
		attr = []byte{}
	}
	e.v.setAttr(e.v.at(e.label), attr)
}

// Raw is what is kept of the vector, its length, and for Q8 the largest component.
func (e Element) Raw() (row []byte, length, most float32) {
	x := e.v.at(e.label)
	return e.v.row(e.label), x.length, x.most
}

// Vector appends what is kept of the vector, at its own length.
func (e Element) Vector(dst []float32) []float32 {
	return e.v.Quant.decode(dst, e.v.row(e.label), e.v.Dim, e.v.at(e.label).scale)
}

// Links calls f with the neighbours at each level, from the element's highest
// down to 0, and how similar they are. Of few elements, these are the nearest M.
func (e Element) Links(f func(level int, to []Result)) {
	v := e.v
	p := newProbe(v.Quant, v.Dim, v.row(e.label), v.at(e.label).scale)
	result := func(l uint32) Result {
		x := v.at(l)
		return Result{x.name, p.distance(v.row(l), x.scale), x.attr.Load()}
	}
	var to []Result
	found := v.graph != nil && v.graph.links(e.label, func(level int, labels []index.Label) {
		to = to[:0]
		for _, l := range labels {
			if x := v.at(uint32(l)); x.number != 0 && x.state.Load() != gone {
				to = append(to, result(uint32(l)))
			}
		}
		f(level, to)
	})
	if found {
		return
	}
	n := min(v.M, len(v.byName)-1)
	if v.graph != nil { // it is not in the graph yet
		n = 0
	}
	if n > 0 {
		s := Search{v: v, probe: p}
		for _, c := range s.all(n+1, nil) {
			if c.x.name != e.Name() && len(to) < n {
				to = append(to, Result{c.x.name, c.distance, nil})
			}
		}
	}
	f(0, to)
}

// Random is a random element of a set that is not empty.
func (v *Value) Random() string { return v.at(v.order.nth(rand.IntN(len(v.byName)))).name }

// Sample calls f with n different elements, at most all, in random order.
func (v *Value) Sample(n int, f func(name string)) {
	n = min(n, len(v.byName))
	if n > len(v.byName)/3 {
		all := make([]uint32, 0, len(v.byName))
		v.order.from(&v.elements, "", func(l uint32) bool { all = append(all, l); return true })
		for i := range n {
			j := i + rand.IntN(len(all)-i)
			all[i], all[j] = all[j], all[i]
			f(v.at(all[i]).name)
		}
		return
	}
	seen := make(map[string]bool, n)
	for len(seen) < n {
		if name := v.Random(); !seen[name] {
			seen[name] = true
			f(name)
		}
	}
}

// Range calls f with the elements from name on, in the order of their bytes,
// until it returns false.
func (v *Value) Range(from string, f func(name string) bool) {
	v.order.from(&v.elements, from, func(l uint32) bool { return f(v.at(l).name) })
}

// Project makes a vector of Dim components of one of Input, as Redis does: with
// the signs of a Hadamard matrix, in this order.
func (p Params) Project(vector []float32) []float32 {
	by := float32(1 / math.Sqrt(float64(p.Input)))
	scaled := make([]float32, len(vector))
	for j, x := range vector {
		scaled[j] = float32(by * x)
	}
	if p.Input*p.Dim > maxProducts {
		return hadamard(scaled, p.Dim)
	}
	out := make([]float32, p.Dim)
	for i := range out {
		sum := float32(0)
		for j, x := range scaled {
			sum += math.Float32frombits(math.Float32bits(x) ^ sign(i, j))
		}
		out[i] = sum
	}
	return out
}

// sign is the sign bit of an element of the Hadamard matrix.
func sign(i, j int) uint32 { return uint32(bits.OnesCount(uint(i&j))&1) << 31 }

// maxProducts is how many products a projection may cost: some 20 ms. One of 65536
// to 65536 components takes Redis seconds.
const maxProducts = 1 << 24

// hadamard is the same product in n log n steps. It adds in another order, so that
// the last bits may differ.
func hadamard(vector []float32, dim int) []float32 {
	n := 1 << bits.Len(uint(len(vector)-1))
	v := append(make([]float32, 0, n), vector...)[:n]
	for half := 1; half < n; half *= 2 {
		for i := 0; i < n; i += 2 * half {
			for j := i; j < i+half; j++ {
				v[j], v[j+half] = v[j]+v[j+half], v[j]-v[j+half]
			}
		}
	}
	return v[:dim]
}

// Rebuild implements object.Object. Vectors come back as they are kept, with
// VADD's word RAW, which only a log may hold: see SetRaw.
func (v *Value) Rebuild(key []byte, emit func(args ...[]byte)) {
	quant := [...]string{F32: "NOQUANT", Q8: "Q8", Bin: "BIN"}[v.Quant]
	v.order.from(&v.elements, "", func(l uint32) bool {
		x := v.at(l)
		args := [][]byte{
			[]byte("VADD"), key, []byte("RAW"), v.raw(l), []byte(x.name),
			[]byte(quant), []byte("M"), strconv.AppendInt(nil, int64(v.M), 10),
		}
		if a := x.attr.Load(); a != nil {
			args = append(args, []byte("SETATTR"), []byte(*a))
		}
		emit(args...)
		return true
	})
}

// raw is what the word RAW is followed by in a log.
func (v *Value) raw(label uint32) []byte {
	s := v.at(label).scale
	b := binary.LittleEndian.AppendUint32(nil, uint32(v.Dim))
	b = binary.LittleEndian.AppendUint32(b, uint32(v.Input))
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(s.length))
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(s.most))
	return append(b, v.row(label)...)
}

// ParseRaw says what dimensions a set has that holds a raw vector.
func ParseRaw(raw []byte) (dim, input int, ok bool) {
	if len(raw) < 16 {
		return 0, 0, false
	}
	dim, input = int(binary.LittleEndian.Uint32(raw)), int(binary.LittleEndian.Uint32(raw[4:]))
	return dim, input, dim >= 1 && dim <= MaxDim && input <= MaxDim && (input == 0 || dim <= input)
}

// SetRaw is Set with what Rebuild has emitted.
func (v *Value) SetRaw(name, attr, raw []byte, ef int) (added bool, job *Job, ok bool) {
	row := raw[16:]
	s := scale{math.Float32frombits(binary.LittleEndian.Uint32(raw[8:])), math.Float32frombits(binary.LittleEndian.Uint32(raw[12:]))}
	if len(row) != v.Quant.rowSize(v.Dim) {
		return false, nil, false
	}
	if v.Quant == F32 {
		for i := 0; i < len(row); i += 4 {
			if x := math.Float32frombits(binary.LittleEndian.Uint32(row[i:])); x-x != 0 {
				return false, nil, false
			}
		}
	}
	added, job = v.set(name, attr, bytes.Clone(row), s, ef)
	return added, job, true
}
