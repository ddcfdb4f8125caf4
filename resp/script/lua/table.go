package lua

import (
	"math"
	"math/bits"
	"unsafe"
)

// Table is a table: an array part for the keys 1…n and a hash part for the
// rest, with open addressing and chains within the nodes ("scatter table with
// Brent's variation"). Growth, chains and the border that # finds are those of
// PUC-Rio's, step by step, so that pairs and # tell what they tell in Redis.
type Table struct {
	arr      []Value
	node     []node // a power of two of them, or none
	lastFree int    // all positions at or above are taken
	meta     *Table
	absent   uint8 // metamethods that meta is known not to have, see fastMeta
	readonly bool
	mark     uint32 // see memory.go
}

type node struct {
	key, val Value
	next     int32 // index + 1 of the next in the chain, 0 for none
}

const (
	valueSize = int(unsafe.Sizeof(Value{}))
	nodeSize  = int(unsafe.Sizeof(node{}))
	tableSize = int(unsafe.Sizeof(Table{}))
	maxBits   = 26
	maxArray  = 1 << maxBits
)

// newTable makes a table with room; s counts its memory, and may be nil.
func newTable(s *State, narr, nhash int) *Table {
	t := &Table{}
	s.alloc(tableSize)
	if narr > 0 {
		t.growArray(s, narr)
	}
	t.newNodes(s, nhash)
	return t
}

func (t *Table) growArray(s *State, n int) {
	s.alloc((n - len(t.arr)) * valueSize)
	if n <= cap(t.arr) {
		t.arr = t.arr[:n]
		return
	}
	a := make([]Value, n)
	copy(a, t.arr)
	t.arr = a
}

func (t *Table) newNodes(s *State, n int) {
	t.node, t.lastFree = nil, 0
	if n > 0 {
		n = 1 << bits.Len(uint(n-1))
		s.alloc(n * nodeSize)
		t.node, t.lastFree = make([]node, n), n
	}
}

// main is the main position of a key; there are nodes.
func (t *Table) main(key Value) int {
	mask := uint32(len(t.node) - 1)
	switch key.Kind() {
	case KindNumber:
		return t.mainNumber(key.float())
	case KindString:
		return int(key.str().sum() & mask)
	case KindFalse, KindNull:
		return 0
	case KindTrue:
		return int(1 & mask)
	}
	return int(uint32(uintptr(key.p)) % (mask | 1))
}

func (t *Table) mainNumber(f float64) int {
	if f == 0 {
		return 0
	}
	b := math.Float64bits(f)
	return int((uint32(b) + uint32(b>>32)) % (uint32(len(t.node)-1) | 1))
}

// arrayKey is the integer that a number is, or -1.
func arrayKey(f float64) int {
	if k := toInt32(f); float64(k) == f {
		return k
	}
	return -1
}

// get looks a key up; nil for none.
func (t *Table) get(key Value) Value {
	switch key.Kind() {
	case KindNumber:
		if k := toInt32(key.float()); float64(k) == key.float() {
			return t.getInt(k)
		}
	case KindString:
		return t.getStr(key.str())
	case KindNil:
		return Nil
	}
	if v := t.find(key); v != nil {
		return *v
	}
	return Nil
}

func (t *Table) getInt(k int) Value {
	if uint(k-1) < uint(len(t.arr)) {
		return t.arr[k-1]
	}
	if v := t.findNumber(float64(k)); v != nil {
		return *v
	}
	return Nil
}

func (t *Table) getStr(k *str) Value {
	if len(t.node) == 0 {
		return Nil
	}
	n := &t.node[int(k.sum())&(len(t.node)-1)]
	for {
		if n.key.isString() {
			if s := n.key.str(); s == k || s.s == k.s {
				return n.val
			}
		}
		if n.next == 0 {
			return Nil
		}
		n = &t.node[n.next-1]
	}
}

func (t *Table) findNumber(f float64) *Value {
	if len(t.node) == 0 {
		return nil
	}
	for i := t.mainNumber(f); ; {
		n := &t.node[i]
		if n.key.isNumber() && n.key.float() == f {
			return &n.val
		}
		if n.next == 0 {
			return nil
		}
		i = int(n.next) - 1
	}
}

// find is the place of a key, in the array or the hash part, nil where it has none.
func (t *Table) find(key Value) *Value {
	if key.isNumber() {
		if k := arrayKey(key.float()); uint(k-1) < uint(len(t.arr)) {
			return &t.arr[k-1]
		}
		return t.findNumber(key.float())
	}
	if i := t.findNode(key); i >= 0 {
		return &t.node[i].val
	}
	return nil
}

func (t *Table) findNode(key Value) int {
	if len(t.node) == 0 {
		return -1
	}
	for i := t.main(key); ; {
		n := &t.node[i]
		if rawEqual(n.key, key) {
			return i
		}
		if n.next == 0 {
			return -1
		}
		i = int(n.next) - 1
	}
}

// place is where the value of a key is or is to be. The key is neither nil nor NaN.
func (t *Table) place(s *State, key Value) *Value {
	if v := t.find(key); v != nil {
		return v
	}
	return t.newKey(s, key)
}

func (t *Table) newKey(s *State, key Value) *Value {
	if len(t.node) == 0 {
		t.rehash(s, key)
		return t.place(s, key)
	}
	mp := t.main(key)
	if !t.node[mp].val.isNil() {
		free := t.freePos()
		if free < 0 {
			t.rehash(s, key)
			return t.place(s, key)
		}
		if other := t.main(t.node[mp].key); other != mp {
			// The one in the way is not in its own place: it moves.
			for int(t.node[other].next)-1 != mp {
				other = int(t.node[other].next) - 1
			}
			t.node[other].next = int32(free + 1)
			t.node[free] = t.node[mp]
			t.node[mp].next = 0
			t.node[mp].val = Nil
		} else {
			t.node[free].next = t.node[mp].next
			t.node[mp].next = int32(free + 1)
			mp = free
		}
	}
	t.node[mp].key = key
	return &t.node[mp].val
}

func (t *Table) freePos() int {
	for t.lastFree > 0 {
		t.lastFree--
		if t.node[t.lastFree].key.isNil() {
			return t.lastFree
		}
	}
	return -1
}

// set stores a value raw. The key is neither nil nor NaN, the table not readonly.
func (t *Table) set(s *State, key, val Value) {
	*t.place(s, key) = val
}

func (t *Table) setInt(s *State, k int, val Value) {
	if uint(k-1) < uint(len(t.arr)) {
		t.arr[k-1] = val
		return
	}
	t.set(s, Number(float64(k)), val)
}

// rehash makes room for one more key: it counts the integer keys, and chooses
// the largest array that would be more than half full.
func (t *Table) rehash(s *State, extra Value) {
	var nums [maxBits + 1]int // nums[i] is the number of keys in (2^(i-1), 2^i]
	inArray := t.countArray(&nums)
	total, narr := inArray, inArray
	for i := len(t.node) - 1; i >= 0; i-- {
		if n := &t.node[i]; !n.val.isNil() {
			narr += countKey(n.key, &nums)
			total++
		}
	}
	narr += countKey(extra, &nums)
	total++
	size, moved := arraySize(&nums, narr)
	t.resize(s, size, total-moved)
}

func countKey(key Value, nums *[maxBits + 1]int) int {
	if key.isNumber() {
		if k := arrayKey(key.float()); 0 < k && k <= maxArray {
			nums[bits.Len(uint(k-1))]++
			return 1
		}
	}
	return 0
}

func (t *Table) countArray(nums *[maxBits + 1]int) int {
	all := 0
	for lg, i := 0, 1; lg <= maxBits && i <= len(t.arr); lg++ {
		lim, n := min(1<<lg, len(t.arr)), 0
		for ; i <= lim; i++ {
			if !t.arr[i-1].isNil() {
				n++
			}
		}
		nums[lg] += n
		all += n
	}
	return all
}

// arraySize returns the size of the array part, and how many of the keys go there.
func arraySize(nums *[maxBits + 1]int, narr int) (size, moved int) {
	for i, p, a := 0, 1, 0; p/2 < narr; i, p = i+1, p*2 {
		if nums[i] > 0 {
			if a += nums[i]; a > p/2 {
				size, moved = p, a
			}
		}
		if a == narr {
			break
		}
	}
	return size, moved
}

func (t *Table) resize(s *State, narr, nhash int) {
	old, gone := t.node, []Value(nil)
	s.work(len(old) + nhash + narr)
	if narr > len(t.arr) {
		t.growArray(s, narr)
	}
	t.newNodes(s, nhash)
	if narr < len(t.arr) {
		t.arr, gone = t.arr[:narr:narr], t.arr[narr:]
	}
	for i, v := range gone {
		if !v.isNil() {
			t.set(s, Number(float64(narr+i+1)), v)
		}
	}
	for i := len(old) - 1; i >= 0; i-- {
		if n := &old[i]; !n.val.isNil() {
			t.set(s, n.key, n.val)
		}
	}
}

// length is a border: an n with t[n] not nil and t[n+1] nil.
func (t *Table) length() int {
	j := len(t.arr)
	if j > 0 && t.arr[j-1].isNil() {
		i := 0
		for j-i > 1 {
			if m := (i + j) / 2; t.arr[m-1].isNil() {
				j = m
			} else {
				i = m
			}
		}
		return i
	}
	if len(t.node) == 0 {
		return j
	}
	i := j
	for j++; !t.getInt(j).isNil(); {
		if i, j = j, j*2; j > math.MaxInt32-2 {
			for i = 1; !t.getInt(i).isNil(); i++ {
			}
			return i - 1
		}
	}
	for j-i > 1 {
		if m := (i + j) / 2; t.getInt(m).isNil() {
			j = m
		} else {
			i = m
		}
	}
	return i
}

// next returns what follows a key; a nil key comes back at the end. ok is false
// where the key is not in the table.
func (t *Table) next(key Value) (k, v Value, ok bool) {
	i := 0
	switch {
	case key.isNil():
	case key.isNumber() && uint(arrayKey(key.float())-1) < uint(len(t.arr)):
		i = arrayKey(key.float())
	default:
		n := t.findNode(key)
		if n < 0 {
			return Nil, Nil, false
		}
		i = len(t.arr) + n + 1
	}
	for ; i < len(t.arr); i++ {
		if !t.arr[i].isNil() {
			return Number(float64(i + 1)), t.arr[i], true
		}
	}
	for i -= len(t.arr); i < len(t.node); i++ {
		if n := &t.node[i]; !n.val.isNil() {
			return n.key, n.val, true
		}
	}
	return Nil, Nil, true
}

// Get looks a string key up, raw.
func (t *Table) Get(key string) Value {
	s := str{s: key}
	return t.getStr(&s)
}

// GetValue looks any key up, raw.
func (t *Table) GetValue(key Value) Value { return t.get(key) }

// Index looks an integer key up, raw.
func (t *Table) Index(k int) Value { return t.getInt(k) }

// Next returns what follows a key, from nil to nil.
func (t *Table) Next(key Value) (k, v Value) {
	k, v, _ = t.next(key)
	return k, v
}

// Len is what # tells of the table.
func (t *Table) Len() int { return t.length() }

// SetReadonly protects the table: a script that writes to it fails.
func (t *Table) SetReadonly() { t.readonly = true }

// SetMeta sets the metatable.
func (t *Table) SetMeta(m *Table) { t.meta = m }

// Meta is the metatable, nil for none.
func (t *Table) Meta() *Table { return t.meta }
