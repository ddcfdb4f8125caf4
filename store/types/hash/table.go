package hash

import (
	"strings"
	"unsafe"
)

// table is a large hash.
type table struct {
	fields []field
	index  map[string]int32 // place by name; nil while there are few
	bytes  int              // of names and values
	hashed bool             // Redis would call it a hashtable
}

type field struct {
	name  string
	value []byte
}

const (
	fieldSize = int(unsafe.Sizeof(field{}))
	indexCost = 40 // of a field in the map, with its room to grow

	// linear is how many fields are looked through without an index: as fast as
	// a map lookup there.
	linear = 16
)

func (t *table) find(name string) int {
	if t.index != nil {
		if i, ok := t.index[name]; ok {
			return int(i)
		}
		return -1
	}
	for i := range t.fields {
		if t.fields[i].name == name {
			return i
		}
	}
	return -1
}

func (t *table) set(name, value []byte, b *block) bool {
	if i := t.find(unsafe.String(unsafe.SliceData(name), len(name))); i >= 0 {
		f := &t.fields[i]
		t.bytes -= cap(f.value)
		if cap(f.value) < len(value) || cap(f.value) > 2*len(value)+MaxListpackBytes {
			f.value = make([]byte, 0, len(value))
		}
		f.value = append(f.value[:0], value...)
		t.bytes += cap(f.value)
		return false
	}
	f := field{name: b.string(name), value: b.bytes(value)}
	t.fields = append(t.fields, f)
	t.bytes += len(f.name) + cap(f.value)
	switch n := len(t.fields); {
	case t.index != nil:
		t.index[f.name] = int32(n - 1)
	case n > linear:
		t.reindex(n)
	}
	if len(t.fields) > MaxListpackFields {
		t.hashed = true
	}
	return true
}

func (t *table) reindex(room int) {
	t.index = make(map[string]int32, room)
	for i := range t.fields {
		t.index[t.fields[i].name] = int32(i)
	}
}

func (t *table) delete(name string) bool {
	i := t.find(name)
	if i < 0 {
		return false
	}
	f, last := t.fields[i], len(t.fields)-1
	t.bytes -= len(f.name) + cap(f.value)
	if t.index != nil {
		delete(t.index, f.name)
	}
	if t.hashed {
		t.fields[i] = t.fields[last]
		if t.index != nil && i != last {
			t.index[t.fields[i].name] = int32(i)
		}
	} else {
		copy(t.fields[i:], t.fields[i+1:])
		if t.index != nil {
			for ; i < last; i++ {
				t.index[t.fields[i].name] = int32(i)
			}
		}
	}
	t.fields[last] = field{}
	t.fields = t.fields[:last]
	t.shrink()
	return true
}

// shrink gives memory back once three quarters of it are unused.
func (t *table) shrink() {
	n := len(t.fields)
	if cap(t.fields) <= 2*linear || n > cap(t.fields)/4 {
		return
	}
	t.fields = append(make([]field, 0, 2*n), t.fields...)
	if t.index != nil {
		t.index = nil
		if n > linear {
			t.reindex(n)
		}
	}
}

func (t *table) size() int {
	return int(unsafe.Sizeof(*t)) + cap(t.fields)*fieldSize + t.bytes + len(t.index)*indexCost
}

func (t *table) copy() *table {
	c := &table{fields: make([]field, len(t.fields)), hashed: t.hashed}
	for i, f := range t.fields {
		c.fields[i] = field{strings.Clone(f.name), append(make([]byte, 0, len(f.value)), f.value...)}
		c.bytes += len(f.name) + len(f.value)
	}
	if t.index != nil {
		c.reindex(len(c.fields))
	}
	return c
}

// block allocates the names and short values of one HSET together. A chunk
// stays as long as one of its fields does, so it is small.
type block struct {
	pairs [][]byte // what is being stored, in turn
	at    int      // from here on
	free  []byte
}

const chunk = 512

func (b *block) alloc(n int) []byte {
	if n > chunk/4 {
		return make([]byte, n)
	}
	if n > len(b.free) {
		need := 0
		for i := b.at; i < len(b.pairs) && need < chunk; i++ {
			if k := len(b.pairs[i]); k <= chunk/4 {
				need += k
			}
		}
		b.free = make([]byte, max(n, min(need, chunk)))
	}
	p := b.free[:n:n]
	b.free = b.free[n:]
	return p
}

func (b *block) string(s []byte) string {
	if len(s) == 0 {
		return ""
	}
	p := b.alloc(len(s))
	copy(p, s)
	return unsafe.String(&p[0], len(p)) // nobody else writes there
}

func (b *block) bytes(s []byte) []byte {
	p := b.alloc(len(s))
	copy(p, s)
	return p
}
