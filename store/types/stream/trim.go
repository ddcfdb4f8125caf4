package stream

// Refs says what becomes of the pending entries of an entry that is deleted.
type Refs uint8

// The ways.
const (
	KeepRefs  Refs = iota // they stay
	DropRefs              // they go too
	AckedOnly             // what is pending, or not yet read by some group, is not deleted
)

// Trim says what is trimmed.
type Trim struct {
	ByID   bool  // entries before MinID; otherwise all but the last MaxLen
	Approx bool  // whole blocks only, with KeepRefs
	Refs   Refs  //
	MaxLen int64 //
	Limit  int64 // stop before more entries than this are removed, 0 for no limit
	MinID  ID
}

// Trim removes entries from the front. It returns how many, and the ID before
// which it has looked at everything: trimming by that ID, with the same Refs,
// removes the same. With Approx it costs O(1) a block, otherwise it also looks
// through one.
func (v *Value) Trim(t Trim) (deleted int64, before ID) {
	for p := (place{}); ; {
		b := v.at(p)
		if b == nil {
			before = v.behind()
			break
		}
		before = b.first
		if !t.ByID && v.length <= t.MaxLen {
			break
		}
		entries := int64(b.live)
		if t.Limit > 0 && deleted+entries > t.Limit {
			break
		}
		whole := v.length-entries >= t.MaxLen
		if t.ByID {
			whole = b.last.Less(t.MinID)
		}
		if whole && t.Refs == KeepRefs {
			v.length -= entries
			deleted += entries
			p = v.drop(p)
			continue
		}
		if t.Approx && t.Refs == KeepRefs {
			break
		}
		n, stop, stopped := v.trimBlock(b, &t)
		deleted += n
		if whole && n == entries {
			p = v.drop(p)
			continue
		}
		p = v.after(p)
		if !whole {
			if before = stop; !stopped {
				before = v.behind()
				if b := v.at(p); b != nil {
					before = b.first
				}
			}
			break
		}
	}
	if deleted > 0 {
		v.staleFirst = true
	}
	return deleted, before
}

// behind is an ID behind all entries, unless the last one has the last ID there is.
func (v *Value) behind() ID {
	if id, ok := v.last.Next(); ok {
		return id
	}
	return MaxID
}

// trimBlock deletes what t says of one block, which stays. It returns how many
// entries, and before which it stopped.
func (v *Value) trimBlock(b *block, t *Trim) (n int64, stop ID, stopped bool) {
	for c := b.begin(); b.next(&c); b.skip(&c) {
		if t.ByID && !c.id.Less(t.MinID) || !t.ByID && v.length <= t.MaxLen {
			return n, c.id, true
		}
		if c.flags&flagDead != 0 {
			continue
		}
		switch t.Refs {
		case AckedOnly:
			if v.Referenced(c.id) {
				continue
			}
		case DropRefs:
			v.DropRefs(c.id)
		}
		v.bury(b, &c)
		n++
	}
	return n, ID{}, false
}

// DeleteRefs is Delete that heeds references. It reports what became of the
// entry: deleted, or kept because it is referenced; neither where there is none.
func (v *Value) DeleteRefs(id ID, r Refs) (deleted, kept bool) {
	switch r {
	case AckedOnly:
		if v.Referenced(id) {
			return false, true
		}
	case DropRefs:
		v.DropRefs(id)
	}
	return v.Delete(id), false
}
