package commands

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/types/list"
	"github.com/nearcache/nearcache/store/types/set"
	"github.com/nearcache/nearcache/store/types/zset"
)

// SORT does as Redis does, but for three points: a sorted set keeps its encoding;
// ALPHA compares all bytes, Redis those before a zero byte; and a client that
// tracks what it reads is told of the keys of patterns, too.

const errSortNumber resp.Error = "ERR One or more scores can't be converted into double"

var sortArgSpecs = []command.Arg{
	keyArg,
	{Name: "by-pattern", Type: "pattern", Shown: "pattern", Token: "BY", KeySpec: 1, Optional: true},
	{Name: "limit", Type: "block", Token: "LIMIT", Optional: true, Args: []command.Arg{
		{Name: "offset", Type: "integer"}, {Name: "count", Type: "integer"},
	}},
	{Name: "get-pattern", Type: "pattern", Shown: "pattern", Token: "GET", KeySpec: 1, Optional: true, Multiple: true, MultipleToken: true},
	geoOrderArg,
	{Name: "sorting", Type: "pure-token", Token: "ALPHA", Optional: true},
}

var sortCommand = &command.Spec{
	Name: "sort", Arity: -2, Flags: command.Write | command.DenyOOM | command.MovableKeys,
	Keys: command.KeySpec{First: 1, Last: 1, Step: 1, Find: sortKeys}, Group: command.GroupGeneric, Since: "1.0.0",
	Summary: "Sorts the elements in a list, a set, or a sorted set, optionally storing the result.",
	Args:    append(slices.Clone(sortArgSpecs), command.Arg{Name: "destination", Type: "key", Token: "STORE", KeySpec: 2, Optional: true}),
	Bind:    command.Bind(parseSort, runSort),
	Locks:   sortLocks,
}

var sortROCommand = &command.Spec{
	Name: "sort_ro", Arity: -2, Flags: command.ReadOnly | command.MovableKeys, Keys: command.OneKey, Group: command.GroupGeneric, Since: "7.0.0",
	Summary: "Returns the sorted elements of a list, a set, or a sorted set.",
	Args:    sortArgSpecs,
	Bind:    command.Bind(parseSortRO, runSort),
	Locks:   sortLocks,
}

// sortKeys are the key that is sorted and those named by STORE, of which the
// last counts.
func sortKeys(argv [][]byte) [][]byte {
	keys := [][]byte{argv[1]}
	for i := 2; i < len(argv); i++ {
		switch {
		case args.EqualFold(argv[i], "LIMIT"):
			i += 2
		case args.EqualFold(argv[i], "GET"), args.EqualFold(argv[i], "BY"):
			i++
		case args.EqualFold(argv[i], "STORE") && i+1 < len(argv):
			i++
			keys = append(keys, argv[i])
		}
	}
	return keys
}

// sortLocks asks for all shards where a pattern may name any key.
func sortLocks(_ *command.Ctx, argv [][]byte, _ func(key []byte)) bool {
	return len(argv) > 3 && slices.ContainsFunc(argv[2:], func(a []byte) bool { return bytes.IndexByte(a, '*') >= 0 })
}

type sortArgs struct {
	key           []byte
	by            []byte // pattern, nil for the elements themselves
	get           [][]byte
	store         []byte // nil for none
	offset, count int64
	desc, alpha   bool
	unsorted      bool // BY names no pattern
}

func parseSort(p *args.Parser) sortArgs { return parseSortOf(p, true) }

func parseSortRO(p *args.Parser) sortArgs { return parseSortOf(p, false) }

func parseSortOf(p *args.Parser, mayStore bool) sortArgs {
	a := sortArgs{key: p.Bytes(), count: -1}
	for p.More() {
		switch {
		case p.Accept("ASC"):
			a.desc = false
		case p.Accept("DESC"):
			a.desc = true
		case p.Accept("ALPHA"):
			a.alpha = true
		case p.Len() > 2 && p.Accept("LIMIT"):
			a.offset, a.count = p.Int(), p.Int()
		case mayStore && p.Len() > 1 && p.Accept("STORE"):
			a.store = p.Bytes()
		case p.Len() > 1 && p.Accept("BY"):
			a.by = p.Bytes()
			if star, _ := splitPattern(a.by); star < 0 {
				a.unsorted = true
			}
		case p.Len() > 1 && p.Accept("GET"):
			a.get = append(a.get, p.Bytes())
		default:
			p.Fail(resp.ErrSyntax)
		}
	}
	return a
}

// splitPattern finds the star of a pattern, -1 where there is none, and the arrow
// behind it that a field of a hash follows, likewise. As in C, both are looked for
// up to a zero byte.
func splitPattern(pattern []byte) (star, arrow int) {
	text, _, _ := bytes.Cut(pattern, []byte{0})
	if star = bytes.IndexByte(text, '*'); star < 0 {
		return -1, -1
	}
	arrow = bytes.Index(text[star+1:], []byte("->"))
	if arrow += star + 1; arrow <= star || arrow+2 == len(text) {
		arrow = -1
	}
	return star, arrow
}

// sortItem is an element with what it is sorted by.
type sortItem struct {
	elem  []byte
	score float64
	by    []byte // with ALPHA and BY; nil where there is none
	at    int    // its place before
}

// sorter sorts the elements of a key.
type sorter struct {
	*sortArgs
	c     *command.Ctx
	items []sortItem
	text  []byte // of items
	name  []byte // room for a key
	read  [][]byte
}

func runSort(c *command.Ctx, a sortArgs) error {
	e := c.Tx.Get(a.key)
	var o object.Object
	if e != nil {
		switch e.Type().ID {
		case object.List, object.Set, object.ZSet:
			o = e.Value()
		default:
			return resp.ErrWrongType
		}
	}
	if _, isSet := o.(*set.Value); isSet && a.unsorted && (a.store != nil || c.InScript) { // what is stored has an order, and scripts see always the same
		a.unsorted, a.alpha, a.by = false, true, nil
	}
	s := sorter{sortArgs: &a, c: c}
	lo, hi := a.limits(lengthOf(o))
	if s.load(o, lo, hi) {
		lo, hi = 0, len(s.items)
	}
	if !a.unsorted {
		if err := s.weigh(); err != nil {
			return err
		}
		sortPart(s.items, lo, hi, s.compare)
	}
	s.items = s.items[lo:hi]
	if a.store != nil {
		s.put()
	} else {
		s.reply()
	}
	if c.Spec.Flags&command.ReadOnly != 0 && len(s.read) > 0 {
		c.Tracking.Read(c.S, func(f func(key []byte)) {
			for _, key := range s.read {
				f(key)
			}
		})
	}
	return nil
}

func lengthOf(o object.Object) int {
	if o, ok := o.(interface{ Len() int }); ok {
		return o.Len()
	}
	return 0
}

// limits are the places of the elements that LIMIT wants, of n.
func (a *sortArgs) limits(n int) (lo, hi int) {
	lo, hi = int(min(max(a.offset, 0), int64(n))), n
	if a.count >= 0 {
		hi = lo + int(min(a.count, int64(n-lo)))
	}
	return lo, hi
}

// load copies the elements; where they come in the order that is wanted those from
// lo to hi only, and it returns true.
func (s *sorter) load(o object.Object, lo, hi int) (whole bool) {
	from, n := 0, lengthOf(o)
	if _, isSet := o.(*set.Value); s.unsorted && !isSet {
		from, n, whole = lo, hi-lo, true
	}
	s.items = make([]sortItem, 0, n)
	if n == 0 {
		return whole
	}
	switch v := o.(type) {
	case *list.Value:
		end := list.Head
		if whole && s.desc {
			end = list.Tail
		}
		for it := v.From(end, from); len(s.items) < n && it.Next(); {
			s.add(it.Bytes())
		}
	case *set.Value:
		v.Each(func(member []byte) bool {
			s.add(member)
			return true
		})
	case *zset.Value:
		rank, down := from, whole && s.desc
		if down {
			rank = v.Len() - 1 - from
		}
		for it := v.From(rank, down); len(s.items) < n && it.Next(); {
			s.add(it.Member())
		}
	}
	return whole
}

func (s *sorter) add(elem []byte) {
	s.items = append(s.items, sortItem{elem: s.keep(elem), at: len(s.items)})
}

// keep copies b. The copies stay where they are when there is no more room.
func (s *sorter) keep(b []byte) []byte {
	if s.text == nil || cap(s.text)-len(s.text) < len(b) {
		s.text = make([]byte, 0, max(len(b), min(2*cap(s.text), 1<<20), 512))
	}
	n := len(s.text)
	s.text = append(s.text, b...)
	return s.text[n:len(s.text):len(s.text)]
}

// weigh finds what the elements are sorted by.
func (s *sorter) weigh() error {
	if s.alpha && s.by == nil {
		return nil
	}
	var err error
	for i := range s.items {
		x := &s.items[i]
		by := x.elem
		if s.by != nil {
			if by = s.lookUp(s.by, x.elem); by == nil {
				continue
			}
		}
		if s.alpha {
			x.by = s.keep(by)
			continue
		}
		score, ok := args.ParseFloat(by)
		if !ok {
			err = errSortNumber // the rest is looked up none the less
		}
		x.score = score
	}
	return err
}

// lookUp returns the value that a pattern names for an element, nil where there
// is none. It is valid until the next call.
func (s *sorter) lookUp(pattern, elem []byte) []byte {
	if len(pattern) > 0 && pattern[0] == '#' && (len(pattern) == 1 || pattern[1] == 0) {
		return elem
	}
	star, arrow := splitPattern(pattern)
	if star < 0 {
		return nil
	}
	var field []byte
	rest := pattern[star+1:]
	if arrow >= 0 {
		rest, field = pattern[star+1:arrow], pattern[arrow+2:]
	}
	s.name = append(append(append(s.name[:0], pattern[:star]...), elem...), rest...)
	s.c.Tx.Trim()
	if s.c.S.Tracked.Load() {
		s.read = append(s.read, slices.Clone(s.name))
	}
	if arrow < 0 {
		v, err := asString(s.c.Tx.Get(s.name))
		if err != nil || v == nil {
			return nil
		}
		return nonNil(v.B)
	}
	v, err := getHash(s.c, s.name)
	if err != nil || v == nil {
		return nil
	}
	if value, ok := v.Get(field); ok {
		return nonNil(value)
	}
	return nil
}

func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// compare is the order of elements. No two are equal.
func (s *sorter) compare(x, y *sortItem) int {
	order := 0
	switch {
	case !s.alpha:
		if order = cmp.Compare(x.score, y.score); order == 0 {
			order = bytes.Compare(x.elem, y.elem)
		}
	case s.by == nil:
		order = bytes.Compare(x.elem, y.elem)
	case x.by == nil && y.by != nil:
		order = -1
	case x.by != nil && y.by == nil:
		order = 1
	default:
		order = bytes.Compare(x.by, y.by)
	}
	switch {
	case order == 0:
		return cmp.Compare(x.at, y.at)
	case s.desc:
		return -order
	}
	return order
}

// sortPart puts those items into place that belong from lo to hi; of the others
// it only takes care that they are on the right side of these.
func sortPart(items []sortItem, lo, hi int, compare func(x, y *sortItem) int) {
	for tries := 0; lo < hi && hi-lo < len(items)/4; tries++ {
		if tries == 64 { // unlucky, or somebody knows how pivots are chosen
			break
		}
		n := len(items)
		p := partition(items, medianOf3(items, n/8, n/2, n-1-n/8, compare), compare)
		switch {
		case hi <= p:
			items = items[:p]
		case lo > p:
			items, lo, hi = items[p+1:], lo-p-1, hi-p-1
		default: // on both sides
			sortPart(items[:p], min(lo, p), p, compare)
			items, lo, hi = items[p+1:], 0, max(hi-p-1, 0)
		}
	}
	if lo < hi {
		slices.SortFunc(items, func(x, y sortItem) int { return compare(&x, &y) })
	}
}

func medianOf3(items []sortItem, a, b, c int, compare func(x, y *sortItem) int) int {
	if compare(&items[a], &items[b]) > 0 {
		a, b = b, a
	}
	if compare(&items[b], &items[c]) > 0 {
		b = c
		if compare(&items[a], &items[b]) > 0 {
			b = a
		}
	}
	return b
}

// partition moves what is less than the item at p before it, and returns where it
// is then.
func partition(items []sortItem, p int, compare func(x, y *sortItem) int) int {
	last := len(items) - 1
	items[p], items[last] = items[last], items[p]
	n := 0
	for i := range last {
		if compare(&items[i], &items[last]) < 0 {
			items[i], items[n] = items[n], items[i]
			n++
		}
	}
	items[n], items[last] = items[last], items[n]
	return n
}

// each calls f with all that SORT answers, nil for what does not exist.
func (s *sorter) each(f func(b []byte)) {
	for i := range s.items {
		if len(s.get) == 0 {
			f(s.items[i].elem)
		}
		for _, pattern := range s.get {
			f(s.lookUp(pattern, s.items[i].elem))
		}
	}
}

func (s *sorter) reply() {
	s.c.W.Array(len(s.items) * max(len(s.get), 1))
	s.each(func(b []byte) {
		if b == nil {
			s.c.W.Null()
		} else {
			s.c.W.Bulk(b)
		}
	})
}

// put stores the result as a list. In the log it stands as it is: what a set is
// sorted by may not tell all of its order.
func (s *sorter) put() {
	var l list.Loader
	s.each(l.Add)
	v := l.End()
	tx := &s.c.Tx
	if v.Len() == 0 {
		if tx.Delete(s.store, "del") {
			tx.Effect(wordDel, s.store)
		}
	} else {
		there := tx.Peek(s.store) != nil
		tx.Changed(tx.Put(s.store, v, false), store.ClassList, "sortstore")
		tx.Count(v.Len())
		if there {
			tx.Effect(wordDel, s.store)
		}
		v.Rebuild(s.store, tx.Effect)
	}
	s.c.W.Int(int64(v.Len()))
}
