package json

// Changes. They take places of the document as it is, see Match.Resolve, and keep
// those of other values valid, but for what lies in the block that they change.

// Fits reports whether the document may grow by so much.
func (v *Value) Fits(bytes int) bool { return bytes <= MaxSize-len(v.b) }

// Replace makes a value of the document another.
func (v *Value) Replace(n Node, by Node) {
	v.wasted(sizeOf(Node{v.b, n.at}))
	putWord(v.b, n.at, v.graft(by))
}

func (v *Value) set(at int, w word) {
	v.wasted(sizeOf(Node{v.b, at}))
	putWord(v.b, at, w)
}

// SetBool makes a value a truth value.
func (v *Value) SetBool(n Node, t bool) {
	w := word(wordFalse)
	if t {
		w = wordTrue
	}
	v.set(n.at, w)
}

// SetInt makes a value an integer.
func (v *Value) SetInt(n Node, i int64) {
	w, ok := smallInt(i)
	if !ok {
		at := v.extend(wordSize)
		putWord(v.b, at, word(i))
		w = tagInt64<<tagShift | word(at)
	}
	v.set(n.at, w)
}

// SetFloat makes a value a float, which is finite.
func (v *Value) SetFloat(n Node, f float64) { v.set(n.at, floatWord(f)) }

// AppendTo appends to a string and returns its length.
func (v *Value) AppendTo(n Node, s []byte) int {
	if len(s) == 0 {
		return Node{v.b, n.at}.Len()
	}
	old := Node{v.b, n.at}.Bytes()
	length := len(old) + len(s)
	if length <= shortMax {
		var room [shortMax]byte
		w, _ := shortWord(append(append(room[:0], old...), s...))
		v.set(n.at, w)
		return length
	}
	// Room for the length first, which is written last: old may move.
	at := v.extend(stringSize(length))
	old = Node{v.b, n.at}.Bytes()
	b := v.b[at:at]
	for m := uint(length); ; m >>= 7 {
		if m < 0x80 {
			b = append(b, byte(m))
			break
		}
		b = append(b, byte(m)|0x80)
	}
	b = append(b, old...)
	_ = append(b, s...)
	v.set(n.at, tagString<<tagShift|word(at))
	return length
}

// Clear empties an array or object and makes a number 0. It reports whether that
// changed anything.
func (v *Value) Clear(n Node) bool {
	switch n = (Node{v.b, n.at}); n.Kind() {
	case Array:
		if n.Len() == 0 {
			return false
		}
		at := v.extend(arraySize(0))
		clear(v.b[at:])
		v.set(n.at, tagArray<<tagShift|word(at))
	case Object:
		if n.Len() == 0 {
			return false
		}
		at := v.newObject(0)
		v.set(n.at, tagObject<<tagShift|word(at))
	case Integer, Number:
		if f, _ := n.Float(); f == 0 {
			return false
		}
		v.set(n.at, tagInt<<tagShift)
	default:
		return false
	}
	return true
}

// roomFor is how much room a block is given that has to hold n: half as much again.
func roomFor(n int) int { return n + n/2 + 1 }

// Insert puts values into an array, before its element i, and returns its length.
func (v *Value) Insert(n Node, i int, values []*Doc) int {
	at := n.at
	block := wordAt(v.b, at).place()
	count, room := uint32At(v.b, block), uint32At(v.b, block+4)
	more := len(values)
	if count+more > room {
		room = roomFor(count + more)
		if count == 0 {
			room = more
		}
		moved := v.extend(arraySize(room))
		copy(v.b[moved+headLen:], v.b[block+headLen:block+headLen+count*wordSize])
		v.wasted(arraySize(uint32At(v.b, block+4)))
		putUint32(v.b, moved+4, room)
		putWord(v.b, at, tagArray<<tagShift|word(moved))
		block = moved
	}
	elems := block + headLen
	copy(v.b[elems+(i+more)*wordSize:], v.b[elems+i*wordSize:elems+count*wordSize])
	putUint32(v.b, block, count+more)
	for j := range values { // something valid, should the process end here
		putWord(v.b, elems+(i+j)*wordSize, wordNull)
	}
	for j, d := range values {
		w := v.graft(d.Root())
		putWord(v.b, elems+(i+j)*wordSize, w)
	}
	return count + more
}

// RemoveElems takes the elements lo to hi, hi excluded, out of an array.
func (v *Value) RemoveElems(n Node, lo, hi int) {
	n = Node{v.b, n.at}
	for i := lo; i < hi; i++ {
		v.wasted(sizeOf(n.Elem(i)))
	}
	block := n.word().place()
	count := uint32At(v.b, block)
	elems := block + headLen
	copy(v.b[elems+lo*wordSize:], v.b[elems+hi*wordSize:elems+count*wordSize])
	putUint32(v.b, block, count-(hi-lo))
	v.slack(n.at)
}

// slack gives an array or object whose room is used to less than a quarter a
// smaller block.
func (v *Value) slack(at int) {
	n := Node{v.b, at}
	k := n.Kind()
	block := n.word().place()
	count, room := uint32At(v.b, block), uint32At(v.b, block+4)
	if room < 32 || 4*count > room {
		return
	}
	if k == Object {
		v.moveObject(at, count+count/4)
		return
	}
	moved := v.extend(arraySize(count))
	copy(v.b[moved:], v.b[block:block+headLen+count*wordSize])
	putUint32(v.b, moved+4, count)
	v.wasted(arraySize(room))
	putWord(v.b, at, tagArray<<tagShift|word(moved))
}

// moveObject gives an object a block with other room.
func (v *Value) moveObject(at, room int) {
	block := wordAt(v.b, at).place()
	count, old := uint32At(v.b, block), uint32At(v.b, block+4)
	moved := v.newObject(room)
	copy(v.b[moved+headLen:], v.b[block+headLen:block+headLen+count*entrySize])
	putUint32(v.b, moved, count)
	if room > indexMin {
		for i := range count {
			indexKey(v.b, moved, room, i)
		}
	}
	v.wasted(objectSize(old))
	putWord(v.b, at, tagObject<<tagShift|word(moved))
}

// SetMember gives a key of an object a value; a new key comes last.
func (v *Value) SetMember(n Node, key []byte, value Node) {
	if old, ok := (Node{v.b, n.at}).Get(key); ok {
		v.Replace(old, value)
		return
	}
	block := wordAt(v.b, n.at).place()
	count, room := uint32At(v.b, block), uint32At(v.b, block+4)
	if count == room {
		room = roomFor(count)
		v.moveObject(n.at, room)
		block = wordAt(v.b, n.at).place()
	}
	at := block + headLen + count*entrySize
	w, ok := shortWord(key)
	if !ok {
		from := v.extend(stringSize(len(key)))
		_, _ = putString(v.b[:from], key)
		w = tagString<<tagShift | word(from)
	}
	putWord(v.b, at, w)
	putWord(v.b, at+wordSize, wordNull)
	if room > indexMin {
		indexKey(v.b, block, room, count)
	}
	putUint32(v.b, block, count+1)
	putWord(v.b, at+wordSize, v.graft(value))
}

// RemoveMember takes a key out of an object; the last one takes its place. It
// reports whether the key was there.
func (v *Value) RemoveMember(n Node, key []byte) bool {
	block := wordAt(v.b, n.at).place()
	count, room := uint32At(v.b, block), uint32At(v.b, block+4)
	i := findKey(v.b, block, key)
	if i < 0 {
		return false
	}
	at, last := block+headLen+i*entrySize, block+headLen+(count-1)*entrySize
	v.wasted(stringSize(len(key)) + sizeOf(Node{v.b, at + wordSize}))
	if room > indexMin {
		unindex(v.b, block, room, slotOf(v.b, block, room, i))
		if i < count-1 {
			putUint32(v.b, indexAt(block, room)+4*slotOf(v.b, block, room, count-1), i+1)
		}
	}
	copy(v.b[at:at+entrySize], v.b[last:last+entrySize])
	putUint32(v.b, block, count-1)
	v.slack(n.at)
	return true
}

// Delete takes what was matched out of the array or object that it lies in; false
// where it is gone already. The root cannot be deleted.
func (m Match) Delete(v *Value) bool {
	if m.from == m.to {
		return false
	}
	parent := m
	parent.to--
	n, ok := parent.Resolve(v.Root())
	if !ok {
		return false
	}
	s := m.q.steps[m.to-1]
	if s.Key != nil {
		return n.Kind() == Object && v.RemoveMember(n, s.Key)
	}
	if n.Kind() != Array || s.Index >= n.Len() {
		return false
	}
	v.RemoveElems(n, s.Index, s.Index+1)
	return true
}

// Merge changes a value as RFC 7396 says: keys of a patch that are null go, the
// others come or are merged in their turn. What is no object is replaced.
func (v *Value) Merge(n Node, patch Node) {
	if patch.Kind() != Object {
		v.Replace(n, patch)
		return
	}
	if (Node{v.b, n.at}).Kind() != Object {
		at := v.newObject(0)
		v.set(n.at, tagObject<<tagShift|word(at))
	}
	for i := range patch.Len() {
		key, p := patch.Member(i)
		if p.Kind() == Null {
			v.RemoveMember(n, key)
			continue
		}
		old, ok := (Node{v.b, n.at}).Get(key)
		if !ok {
			null := Node{nullDoc[:], 0}
			v.SetMember(n, key, null)
			old, _ = Node{v.b, n.at}.Get(key)
		}
		v.Merge(old, p)
	}
}

// nullDoc is a document that is null.
var nullDoc = func() (b [docHead]byte) {
	putWord(b[:], 0, wordNull)
	return b
}()
