// Package sug is the dictionary of suggestions: texts with scores, for completing what
// somebody types (FT.SUGADD, FT.SUGGET).
//
//	block: entries, the highest score of them
//	       lower case │ as it was added │ score │ payload
//
// Entries stand in blocks, sorted by their text in lower case: those that begin with a
// prefix lie side by side, and of these a block whose highest score cannot be among the
// best is not looked at. Prefixes at a distance of one edit are found by walking the
// list as a trie (attr.Levenshtein).
//
// Scores are those of RediSearch: single precision, less for what is longer than the
// prefix, and less for what is further from it.
//
// A Value is guarded by its key's shard.
package sug

import (
	"container/heap"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/nearcache/nearcache/index/attr"
	"github.com/nearcache/nearcache/store/object"
)

// Type is the descriptor of suggestions; TYPE names it as RediSearch does.
var Type = &object.Type{ID: object.Suggestions, Name: "trietype0", New: func() object.Object { return New() }}

// MaxText is the length in characters from which on a text is not taken, as in RediSearch.
const MaxText = 255

// blockSize is how many entries a block holds before it splits.
const blockSize = 256

type entry struct {
	fold, text string
	score      float32
	payload    string // "" is none
}

func (e *entry) compare(fold, text string) int {
	if c := strings.Compare(e.fold, fold); c != 0 {
		return c
	}
	return strings.Compare(e.text, text)
}

func (e *entry) size() int {
	n := int(unsafe.Sizeof(*e)) + len(e.text) + len(e.payload)
	if e.fold != e.text {
		n += len(e.fold)
	}
	return n
}

type block struct {
	entries []entry
	top     float32
}

func (b *block) measure() {
	b.top = float32(math.Inf(-1))
	for i := range b.entries {
		b.top = max(b.top, b.entries[i].score)
	}
}

// Value is a dictionary of suggestions. Make it with New.
type Value struct {
	blocks []*block // none empty
	n      int
	bytes  int
}

// New makes an empty dictionary.
func New() *Value { return &Value{} }

// Len is the number of suggestions.
func (v *Value) Len() int { return v.n }

// Type implements object.Object.
func (v *Value) Type() *object.Type { return Type }

// Encoding implements object.Object: Redis knows nothing of a module's.
func (v *Value) Encoding() string { return "raw" }

// Size implements object.Object.
func (v *Value) Size() int { return int(unsafe.Sizeof(*v)) + v.bytes + 64*len(v.blocks) }

// Clone implements object.Object.
func (v *Value) Clone() object.Object {
	c := &Value{n: v.n, bytes: v.bytes}
	for _, b := range v.blocks {
		c.blocks = append(c.blocks, &block{slices.Clone(b.entries), b.top})
	}
	return c
}

// Rebuild implements object.Object.
func (v *Value) Rebuild(key []byte, emit func(args ...[]byte)) {
	v.Each(func(text string, score float32, payload string) {
		args := [][]byte{[]byte("FT.SUGADD"), key, []byte(text), strconv.AppendFloat(nil, float64(score), 'g', -1, 32)}
		if payload != "" {
			args = append(args, []byte("PAYLOAD"), []byte(payload))
		}
		emit(args...)
	})
}

// Each calls f with all suggestions, in the order of their texts in lower case.
func (v *Value) Each(f func(text string, score float32, payload string)) {
	for _, b := range v.blocks {
		for i := range b.entries {
			e := &b.entries[i]
			f(e.text, e.score, e.payload)
		}
	}
}

// seek is the place of the first entry that is not below the text.
func (v *Value) seek(fold, text string) (b, i int) {
	b = sort.Search(len(v.blocks), func(b int) bool {
		l := v.blocks[b].entries
		return l[len(l)-1].compare(fold, text) >= 0
	})
	if b == len(v.blocks) {
		return b, 0
	}
	l := v.blocks[b].entries
	return b, sort.Search(len(l), func(i int) bool { return l[i].compare(fold, text) >= 0 })
}

func (v *Value) find(fold, text string) (b, i int, ok bool) {
	b, i = v.seek(fold, text)
	return b, i, b < len(v.blocks) && v.blocks[b].entries[i].text == text
}

// Takes reports whether a text can be a suggestion.
func Takes(text []byte) bool {
	n := utf8.RuneCount(text)
	return n > 0 && n < MaxText
}

// Add sets the score of a suggestion, or adds to it if incr is set, and makes it where
// there is none. A payload that is not empty replaces what it had.
func (v *Value) Add(text []byte, score float64, incr bool, payload []byte) {
	s := string(text)
	fold := strings.ToLower(s)
	b, i, ok := v.find(fold, s)
	if !ok {
		if b == len(v.blocks) {
			if b == 0 {
				v.blocks = append(v.blocks, &block{top: float32(math.Inf(-1))})
			} else {
				b--
			}
			i = len(v.blocks[b].entries)
		}
		e := entry{fold: fold, text: s}
		v.blocks[b].entries = slices.Insert(v.blocks[b].entries, i, e)
		v.n++
		v.bytes += e.size()
	}
	bl := v.blocks[b]
	e := &bl.entries[i]
	was := e.score
	if incr {
		e.score += float32(score)
	} else {
		e.score = float32(score)
	}
	if len(payload) > 0 {
		v.bytes += len(payload) - len(e.payload)
		e.payload = string(payload)
	}
	if ok && e.score < was {
		bl.measure()
	} else {
		bl.top = max(bl.top, e.score)
	}
	if len(bl.entries) > blockSize {
		half := len(bl.entries) / 2
		right := &block{entries: append(make([]entry, 0, blockSize+1), bl.entries[half:]...)}
		clear(bl.entries[half:])
		bl.entries = bl.entries[:half]
		bl.measure()
		right.measure()
		v.blocks = slices.Insert(v.blocks, b+1, right)
	}
}

// Remove takes a suggestion out; false if there is none.
func (v *Value) Remove(text []byte) bool {
	s := string(text)
	b, i, ok := v.find(strings.ToLower(s), s)
	if !ok {
		return false
	}
	bl := v.blocks[b]
	v.n--
	v.bytes -= bl.entries[i].size()
	bl.entries = slices.Delete(bl.entries, i, i+1)
	if len(bl.entries) == 0 {
		v.blocks = slices.Delete(v.blocks, b, b+1)
		return true
	}
	bl.measure()
	return true
}

// Suggestion is a text that completes a prefix.
type Suggestion struct {
	Text    string
	Score   float32
	Payload string // "" is none
}

// ranked is a heap with the worst on top.
type ranked []Suggestion

func (r ranked) Len() int           { return len(r) }
func (r ranked) Less(i, j int) bool { return better(&r[j], &r[i]) }
func (r ranked) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *ranked) Push(x any)        { *r = append(*r, x.(Suggestion)) }
func (r *ranked) Pop() any {
	l := *r
	x := l[len(l)-1]
	*r = l[:len(l)-1]
	return x
}

func better(a, b *Suggestion) bool {
	if a.Score != b.Score {
		return a.Score > b.Score
	}
	return a.Text < b.Text
}

// trimFactor is how much worse than the best a suggestion may be that Trim leaves.
const trimFactor = 10

// Trim leaves out what is very much less likely than the best.
func Trim(l []Suggestion) []Suggestion {
	for i := range l {
		if l[0].Score > 0 && l[i].Score < l[0].Score/trimFactor {
			return l[:i]
		}
	}
	return l
}

// Get are the best suggestions that begin with the prefix, or, if fuzzy, with something
// at most one edit from it; at most limit, best first.
func (v *Value) Get(prefix string, limit int, fuzzy bool) []Suggestion {
	if limit <= 0 {
		return nil
	}
	fold := strings.ToLower(prefix)
	var near *attr.Levenshtein
	b, i := 0, 0
	if fuzzy {
		near = attr.NewLevenshtein(fold, 1, true)
	} else {
		b, i = v.seek(fold, "")
	}
	var best ranked
	for b < len(v.blocks) {
		bl := v.blocks[b]
		if i == len(bl.entries) {
			b, i = b+1, 0
			continue
		}
		if i == 0 && len(best) == limit && bl.top <= best[0].Score && !bl.holds(fold) {
			b++
			continue
		}
		e := &bl.entries[i]
		i++
		dist := 0
		if near == nil {
			if !strings.HasPrefix(e.fold, fold) {
				break
			}
		} else {
			d, ok, dead := near.Next(e.fold)
			if !ok {
				if dead == 0 {
					continue
				}
				to, more := attr.After(e.fold[:dead])
				if !more {
					break
				}
				if i == len(bl.entries) || bl.entries[i].fold < to {
					b, i = v.seek(to, "")
				}
				continue
			}
			dist = d
		}
		s := Suggestion{e.text, e.rank(fold, len(prefix), near != nil, dist), e.payload}
		if len(best) < limit {
			heap.Push(&best, s)
		} else if better(&s, &best[0]) {
			best[0] = s
			heap.Fix(&best, 0)
		}
	}
	slices.SortFunc(best, func(a, b Suggestion) int {
		switch {
		case better(&a, &b):
			return -1
		case better(&b, &a):
			return 1
		}
		return 0
	})
	return best
}

// holds reports whether the text itself may stand in the block.
func (b *block) holds(fold string) bool {
	return b.entries[0].fold <= fold && fold <= b.entries[len(b.entries)-1].fold
}

// rank is the entry's score for a prefix of so many bytes, as RediSearch computes it.
func (e *entry) rank(fold string, bytes int, fuzzy bool, dist int) float32 {
	score := e.score
	if e.text == fold {
		score = math.MaxInt32
	}
	if fuzzy {
		score = float32(float64(score) * math.Exp(-2*float64(dist)))
	}
	n := utf8.RuneCountInString(e.text)
	return float32(float64(score) / math.Sqrt(1+math.Abs(float64(n-bytes))))
}
