package attr

import (
	"bytes"
	"slices"
	"strings"

	"github.com/nearcache/nearcache/index"
)

// Tags holds the tags of documents.
type Tags struct {
	sep       byte // 0: a value is one tag
	fold      bool // lower-case the tags
	empty     bool // a value of "" is a tag too
	dict      map[string]uint32
	sorted    ordered[string]
	suffixes  *suffixes // nil: none
	names     []string  // by tag
	sets      []Set     // by tag
	free      []uint32  // tags to use again
	one       []uint32  // by document: its tag + 1, or 0 for none, or many
	more      map[uint32][]uint32
	records   int64
	dictBytes int64
}

const many = ^uint32(0)

// maxTag is where a tag is cut off, as in RediSearch.
const maxTag = 4096

func cut[T string | []byte](tag T) T { return tag[:min(len(tag), maxTag)] }

// NewTags returns an empty index of tags. sep 0 means that values are not
// split; empty that a value of "" is a tag.
func NewTags(sep byte, caseSensitive, empty bool) *Tags {
	return &Tags{
		sep: sep, fold: !caseSensitive, empty: empty,
		dict: map[string]uint32{}, more: map[uint32][]uint32{},
		sorted: ordered[string]{cmp: strings.Compare},
	}
}

// Fold is the form in which tags are compared.
func (t *Tags) Fold(tag string) string {
	if tag = cut(tag); t.fold {
		return strings.ToLower(tag)
	}
	return tag
}

// Put sets the document's tags.
func (t *Tags) Put(id uint32, value []byte) {
	t.Remove(id)
	t.PutSome(id, &value, len(value)+1)
}

// PutSome adds the next n tags of a value to the document's and cuts them off
// the value; true when none are left. Until then the document must not be searched for.
func (t *Tags) PutSome(id uint32, value *[]byte, n int) bool {
	for int(id) >= len(t.one) {
		t.one = append(t.one, 0)
	}
	for ; n > 0; n-- {
		part, rest, found := *value, []byte(nil), false
		if t.sep != 0 {
			part, rest, found = bytes.Cut(*value, []byte{t.sep})
		}
		part = cut(bytes.Trim(part, " \t\n\v\f\r"))
		if len(part) > 0 || t.empty {
			if t.fold && slices.ContainsFunc(part, func(c byte) bool { return c >= 'A' && c <= 'Z' || c >= 0x80 }) {
				part = []byte(strings.ToLower(string(part)))
			}
			t.add(id, part)
		}
		*value = rest
		if !found {
			return true
		}
	}
	return false
}

func (t *Tags) add(id uint32, part []byte) {
	tag, ok := t.dict[string(part)]
	if !ok {
		name := string(part)
		if n := len(t.free); n > 0 {
			tag, t.free = t.free[n-1], t.free[:n-1]
			t.names[tag] = name
		} else {
			tag = uint32(len(t.names))
			t.names = append(t.names, name)
			t.sets = append(t.sets, Set{})
		}
		t.dict[name] = tag
		t.sorted.insert(name)
		if t.suffixes != nil {
			t.suffixes.add(tag)
		}
		t.dictBytes += int64(len(name)) + 72
	}
	if !t.sets[tag].Add(id) {
		return
	}
	t.records++
	switch t.one[id] {
	case 0:
		t.one[id] = tag + 1
	case many:
		t.more[id] = append(t.more[id], tag)
	default:
		t.more[id] = []uint32{t.one[id] - 1, tag}
		t.one[id] = many
	}
}

// Remove forgets the document's tags.
func (t *Tags) Remove(id uint32) { t.RemoveSome(id, t.Count(id)) }

// Count is the number of the document's tags.
func (t *Tags) Count(id uint32) int {
	switch {
	case int(id) >= len(t.one) || t.one[id] == 0:
		return 0
	case t.one[id] == many:
		return len(t.more[id])
	}
	return 1
}

// RemoveSome forgets n of the document's tags; true when none are left.
func (t *Tags) RemoveSome(id uint32, n int) bool {
	if t.Count(id) == 0 {
		return true
	}
	if tag := t.one[id]; tag != many {
		t.drop(id, tag-1)
		t.one[id] = 0
		return true
	}
	l := t.more[id]
	for ; n > 0 && len(l) > 0; n-- {
		t.drop(id, l[len(l)-1])
		l = l[:len(l)-1]
	}
	if len(l) > 0 {
		t.more[id] = l
		return false
	}
	delete(t.more, id)
	t.one[id] = 0
	return true
}

func (t *Tags) drop(id, tag uint32) {
	t.sets[tag].Remove(id)
	t.records--
	if t.sets[tag].Len() == 0 {
		name := t.names[tag]
		delete(t.dict, name)
		t.sorted.remove(name)
		if t.suffixes != nil {
			t.suffixes.remove(tag)
		}
		t.dictBytes -= int64(len(name)) + 72
		t.names[tag], t.sets[tag] = "", Set{}
		t.free = append(t.free, tag)
	}
}

// Find is the set of documents that have the tag, nil if none. The tag must be in the form of Fold.
func (t *Tags) Find(tag string) *Set {
	if i, ok := t.dict[tag]; ok {
		return &t.sets[i]
	}
	return nil
}

// Prefix calls f with each tag that begins so and its documents, in the order of tags, until f returns false.
func (t *Tags) Prefix(prefix string, f func(tag string, s *Set) bool) {
	t.sorted.from(prefix, func(name string) bool {
		return strings.HasPrefix(name, prefix) && f(name, &t.sets[t.dict[name]])
	})
}

// Each calls f with every tag and its documents, in the order of tags, until f returns false.
func (t *Tags) Each(f func(tag string, s *Set) bool) {
	t.sorted.from("", func(name string) bool { return f(name, &t.sets[t.dict[name]]) })
}

// First is the least of the document's tags.
func (t *Tags) First(id uint32) (string, bool) {
	if int(id) >= len(t.one) || t.one[id] == 0 {
		return "", false
	}
	if t.one[id] != many {
		return t.names[t.one[id]-1], true
	}
	least := ""
	for i, tag := range t.more[id] {
		if i == 0 || t.names[tag] < least {
			least = t.names[tag]
		}
	}
	return least, true
}

// Len is the number of different tags.
func (t *Tags) Len() int { return len(t.dict) }

// Records is the number of pairs of document and tag.
func (t *Tags) Records() int64 { return t.records }

// Bytes is the memory held, about.
func (t *Tags) Bytes() int64 {
	return t.dictBytes + 48*int64(len(t.sets)) + 4*int64(cap(t.one)) + 3*t.records + 60*int64(len(t.more)) + t.suffixes.bytes()
}

// OrPrefix adds the documents of all tags with the prefix to b.
func (t *Tags) OrPrefix(b *index.Bitmap, prefix string) {
	t.Prefix(prefix, func(_ string, s *Set) bool { s.OrInto(b); return true })
}
