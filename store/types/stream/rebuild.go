package stream

import (
	"maps"
	"slices"
	"strconv"
)

// rebuildIDs bounds the IDs of one command that Rebuild emits.
const rebuildIDs = 512

// Rebuild implements object.Object. Entries that are pending but were deleted
// are added, claimed and deleted again, since nothing else makes them pending.
// What it does not bring back is when consumers were seen and were active, how
// many idempotent IDs there ever were, and those of entries that are gone.
func (v *Value) Rebuild(key []byte, emit func(args ...[]byte)) {
	r := rebuilder{key: key, emit: emit}
	gone := v.gonePending()
	r.entries(v, gone)
	for _, g := range v.groups {
		r.group(g)
	}
	r.delete(v, gone)
	r.run("XSETID", v.last.String(), "ENTRIESADDED", strconv.FormatInt(v.added, 10), "MAXDELETEDID", v.maxDeleted.String())
	for _, g := range v.groups {
		r.run("XGROUP", "SETID", g.Name, g.last.String(), "ENTRIESREAD", strconv.FormatInt(g.read, 10))
	}
	if s := &v.producers; s.Duration != DefaultDuration || s.MaxIIDs != DefaultMaxIIDs {
		r.run("XCFGSET", "IDMP-DURATION", strconv.FormatInt(s.Duration, 10), "IDMP-MAXSIZE", strconv.FormatInt(s.MaxIIDs, 10))
	}
	for _, pid := range slices.Sorted(maps.Keys(v.producers.by)) {
		p := v.producers.by[pid]
		for _, iid := range p.iids {
			if id := p.ids[iid]; v.Has(id) {
				r.run("XIDMPRECORD", pid, iid, id.String())
			}
		}
	}
}

// gonePending lists the IDs of entries that are pending but deleted, in order.
func (v *Value) gonePending() []ID {
	var l []ID
	for _, g := range v.groups {
		g.Each(nil, MinID, func(p Pending) bool {
			if !v.Has(p.ID) {
				l = append(l, p.ID)
			}
			return true
		})
	}
	slices.SortFunc(l, ID.Compare)
	return slices.Compact(l)
}

type rebuilder struct {
	key  []byte
	emit func(args ...[]byte)
	args [][]byte
}

// run emits a command with the key behind its name or names.
func (r *rebuilder) run(words ...string) {
	names := 1
	if words[0] == "XGROUP" {
		names = 2
	}
	r.begin(words[:names]...)
	for _, w := range words[names:] {
		r.args = append(r.args, []byte(w))
	}
	r.emit(r.args...)
}

func (r *rebuilder) begin(names ...string) {
	r.args = r.args[:0]
	for _, n := range names {
		r.args = append(r.args, []byte(n))
	}
	r.args = append(r.args, r.key)
}

// entries adds the entries, and in their places those that are gone.
func (r *rebuilder) entries(v *Value, gone []ID) {
	none := v.length == 0 && len(gone) == 0
	add := func(id ID) {
		r.run("XADD", id.String(), "-", "-")
	}
	if none {
		r.run("XADD", "MAXLEN", "0", "0-1", "-", "-")
	}
	var it Iter
	var buf []byte
	var ends []int
	for v.Range(&it, MinID, MaxID); it.Next(); {
		for len(gone) > 0 && gone[0].Less(it.ID) {
			add(gone[0])
			gone = gone[1:]
		}
		r.begin("XADD")
		buf, ends = it.ID.Append(buf[:0]), ends[:0]
		ends = append(ends, len(buf))
		for range it.Fields {
			name, value := it.Field()
			buf = append(buf, name...)
			ends = append(ends, len(buf))
			buf = append(buf, value...)
			ends = append(ends, len(buf))
		}
		from := 0
		for _, end := range ends {
			r.args = append(r.args, buf[from:end])
			from = end
		}
		r.emit(r.args...)
	}
	for _, id := range gone {
		add(id)
	}
}

// delete removes what entries has added for the sake of groups.
func (r *rebuilder) delete(v *Value, gone []ID) {
	if len(gone) == 0 {
		return
	}
	// Trimming leaves no trace in the greatest deleted ID, and nothing else
	// can have removed an entry where there is none.
	if v.length == 0 {
		r.run("XTRIM", "MAXLEN", "0")
		return
	}
	first := v.First()
	n, _ := slices.BinarySearchFunc(gone, first, ID.Compare)
	if n > 0 {
		r.run("XTRIM", "MINID", first.String())
	}
	for part := range slices.Chunk(gone[n:], rebuildIDs) {
		r.begin("XDEL")
		for _, id := range part {
			r.args = append(r.args, id.Append(nil))
		}
		r.emit(r.args...)
	}
}

// group makes a group, its consumers and what is pending, in the order of time.
func (r *rebuilder) group(g *Group) {
	r.run("XGROUP", "CREATE", g.Name, g.last.String())
	for _, c := range g.consumers {
		r.run("XGROUP", "CREATECONSUMER", g.Name, c.Name)
	}
	var batch []ID
	var of Pending
	flush := func() {
		if len(batch) == 0 {
			return
		}
		if of.Consumer == nil {
			r.begin("XNACK")
			r.words(g.Name, "SILENT", "IDS", strconv.Itoa(len(batch)))
			r.ids(batch)
			r.words("RETRYCOUNT", strconv.FormatInt(of.Count, 10), "FORCE")
		} else {
			r.begin("XCLAIM")
			r.words(g.Name, of.Consumer.Name, "0")
			r.ids(batch)
			r.words("TIME", strconv.FormatInt(of.Time, 10), "RETRYCOUNT", strconv.FormatInt(of.Count, 10), "FORCE", "JUSTID")
		}
		r.emit(r.args...)
		batch = batch[:0]
	}
	g.EachOldest(func(p Pending) bool {
		if len(batch) == rebuildIDs || len(batch) > 0 && (p.Consumer != of.Consumer || p.Time != of.Time || p.Count != of.Count) {
			flush()
		}
		of = p
		batch = append(batch, p.ID)
		return true
	})
	flush()
}

func (r *rebuilder) words(words ...string) {
	for _, w := range words {
		r.args = append(r.args, []byte(w))
	}
}

func (r *rebuilder) ids(ids []ID) {
	for _, id := range ids {
		r.args = append(r.args, id.Append(nil))
	}
}
