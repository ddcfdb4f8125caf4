package judge

import (
	"math"
	"slices"
	"sync"
)

// Evidence is the value of each signal for a pair of prompts, in the order of Signals.
type Evidence []float64

// Signal is one kind of evidence.
type Signal struct {
	Name string
	What string
	// Sense is 1 where more of it can only make the same answer more likely,
	// -1 where less likely, and 0 where it depends.
	Sense int
	of    func(c *comparison) float64
}

// Signals are what the model looks at.
var Signals = []Signal{
	{"cosine", "cosine of the two embeddings", 1, func(c *comparison) float64 { return c.cosine }},
	{"overlap", "share of the words with a subject that have a partner in the other prompt", 1, func(c *comparison) float64 { return c.overlap() }},
	{"excess", "cosine beyond what the overlap would suggest", 1, func(c *comparison) float64 { return c.cosine - 0.35 - 0.65*c.overlap() }},
	{"alone-less", "words without a partner, of the prompt with fewer of them", -1, func(c *comparison) float64 { return float64(min(c.aloneA, c.aloneB)) }},
	{"alone-more", "words without a partner, of the prompt with more of them", -1, func(c *comparison) float64 { return float64(max(c.aloneA, c.aloneB)) }},
	{"alone", "words without a partner", -1, func(c *comparison) float64 { return float64(c.aloneA + c.aloneB) }},
	{"alone-share-less", "the fewer words without a partner, as a share of the shorter prompt", -1, func(c *comparison) float64 {
		return float64(min(c.aloneA, c.aloneB)) / float64(max(1, min(len(c.a.stems), len(c.b.stems))))
	}},
	{"alone-share-more", "the more words without a partner, as a share of the longer prompt", -1, func(c *comparison) float64 {
		return float64(max(c.aloneA, c.aloneB)) / float64(max(1, max(len(c.a.stems), len(c.b.stems))))
	}},
	{"same-words", "every word with a subject has a partner", 1, func(c *comparison) float64 { return flag(c.aloneA+c.aloneB == 0) }},
	{"one-exchanged", "one word of each has no partner: one was put in place of the other", -1, func(c *comparison) float64 { return flag(c.aloneA == 1 && c.aloneB == 1) }},
	{"one-sided", "only one prompt has words without a partner", 0, func(c *comparison) float64 {
		return flag(min(c.aloneA, c.aloneB) == 0 && c.aloneA+c.aloneB > 0)
	}},
	{"loose", "partners that are synonyms or misspelt, not equal", 0, func(c *comparison) float64 { return float64(min(c.loose, 3)) }},
	{"letters", "trigrams of letters in both, as a share of those in either", 0, func(c *comparison) float64 { return jaccard(c.a.grams, c.b.grams) }},
	{"numbers", "each has a number that the other has not", -1, func(c *comparison) float64 { return both(c.a.numbers, c.b.numbers) }},
	{"number-missing", "only one has a number that the other has not", -1, func(c *comparison) float64 { return one(c.a.numbers, c.b.numbers) }},
	{"dates", "each has a day or month that the other has not", -1, func(c *comparison) float64 { return both(c.a.dates, c.b.dates) }},
	{"date-missing", "only one has a day or month that the other has not", -1, func(c *comparison) float64 { return one(c.a.dates, c.b.dates) }},
	{"units", "each has a unit that the other has not", -1, func(c *comparison) float64 { return both(c.a.units, c.b.units) }},
	{"unit-missing", "only one has a unit that the other has not", -1, func(c *comparison) float64 { return one(c.a.units, c.b.units) }},
	{"negation", "one is negated, the other is not", -1, func(c *comparison) float64 { return flag(c.a.negated%2 != c.b.negated%2) }},
	{"polarity", "negations and words with a negative sense leave the two opposed", -1, func(c *comparison) float64 {
		return flag((c.a.negated+c.a.refused)%2 != (c.b.negated+c.b.refused)%2)
	}},
	{"refusals", "difference in the number of words with a negative sense", -1, func(c *comparison) float64 { return math.Abs(float64(c.a.refused - c.b.refused)) }},
	{"opposites", "words of the one that exclude a word of the other", -1, func(c *comparison) float64 { return float64(min(c.opposites(), 2)) }},
	{"names", "each has a name that the other has not", -1, func(c *comparison) float64 { return flag(c.namesA && c.namesB) }},
	{"name-missing", "only one has a name that the other has not", -1, func(c *comparison) float64 { return flag(c.namesA != c.namesB) }},
	{"order", "the words in both come in another order", -1, func(c *comparison) float64 { return flag(c.reordered()) }},
	{"exchanged", "what follows from in the one follows to in the other", -1, func(c *comparison) float64 { return flag(c.exchanged()) }},
	{"question", "they ask in another way: how, how much, yes or no", -1, func(c *comparison) float64 { return flag(c.a.question != c.b.question) }},
	{"question-kind", "they ask for another thing: who, when, where, why, how many", -1, func(c *comparison) float64 { return flag(asksOther(c.a.question, c.b.question)) }},
	{"script", "they are written in another script", -1, func(c *comparison) float64 {
		return flag(c.a.script != c.b.script && c.a.script != nil && c.b.script != nil)
	}},
	{"length", "difference in length, as a share of the longer", 0, func(c *comparison) float64 {
		la, lb := len(c.a.words), len(c.b.words)
		return math.Abs(float64(la-lb)) / float64(max(la, lb, 1))
	}},
	{"short", "one has at most two words with a subject", 0, func(c *comparison) float64 { return flag(min(len(c.a.stems), len(c.b.stems)) <= 2) }},
	{"words", "logarithm of the longer one's number of words", 0, func(c *comparison) float64 { return math.Log(1 + float64(max(len(c.a.words), len(c.b.words)))) }},
}

// Compare appends the evidence about a pair whose embeddings have this cosine.
func Compare(a, b *Prompt, cosine float64, into Evidence) Evidence {
	c := comparisons.Get().(*comparison)
	*c = compare(a, b, cosine)
	for i := range Signals {
		into = append(into, Signals[i].of(c))
	}
	*c = comparison{}
	comparisons.Put(c)
	return into
}

var comparisons = sync.Pool{New: func() any { return new(comparison) }}

// comparison is what several signals need of a pair.
type comparison struct {
	a, b           *Prompt
	cosine         float64
	aloneA, aloneB int // stems without a partner
	loose          int // partners that are not equal
	namesA, namesB bool
}

// pairingLimit bounds the search for partners that are not equal: texts that
// differ in more words than that are not the same by their words anyway.
const pairingLimit = 48

func compare(a, b *Prompt, cosine float64) comparison {
	c := comparison{a: a, b: b, cosine: cosine}
	var bufA, bufB [pairingLimit]string
	onlyA, restA := difference(a.stems, b.stems, bufA[:0])
	onlyB, restB := difference(b.stems, a.stems, bufB[:0])
	looseB := 0
	for _, y := range onlyB {
		if hasAlike(y, a.stems, onlyA) {
			looseB++
		}
	}
	looseA := 0
	for _, x := range onlyA {
		if hasAlike(x, b.stems, onlyB) {
			looseA++
		}
	}
	c.aloneA, c.aloneB = len(onlyA)+restA-looseA, len(onlyB)+restB-looseB
	c.loose = max(looseA, looseB)
	c.namesA, c.namesB = lacks(b, a.names), lacks(a, b.names)
	return c
}

// difference appends the elements of a that b lacks, as many as have room, and counts the rest. Both are sorted.
func difference(a, b, into []string) (only []string, rest int) {
	j := 0
	for _, x := range a {
		for j < len(b) && b[j] < x {
			j++
		}
		switch {
		case j < len(b) && b[j] == x:
		case len(into) < cap(into):
			into = append(into, x)
		default:
			rest++
		}
	}
	return into, rest
}

// hasAlike is whether one of the words, or of a bounded part of all of them, is like x.
func hasAlike(x string, all, words []string) bool {
	for _, y := range words {
		if alike(x, y) {
			return true
		}
	}
	for _, y := range all[:min(len(all), pairingLimit)] {
		if alike(x, y) {
			return true
		}
	}
	return false
}

// lacks is whether p misses one of the names.
func lacks(p *Prompt, names []string) bool {
	for _, n := range names {
		if _, ok := slices.BinarySearch(p.stems, n); ok {
			continue
		}
		if _, ok := slices.BinarySearch(p.names, n); !ok {
			return true
		}
	}
	return false
}

func (c *comparison) overlap() float64 {
	n := len(c.a.stems) + len(c.b.stems)
	if n == 0 {
		return 1
	}
	return float64(n-c.aloneA-c.aloneB) / float64(n)
}

func (c *comparison) opposites() int {
	var bufA, bufB [pairingLimit]string
	onlyA, _ := difference(c.a.set, c.b.set, bufA[:0])
	onlyB, _ := difference(c.b.set, c.a.set, bufB[:0])
	n := 0
	for _, x := range onlyA {
		for _, y := range onlyB {
			if opposed(x, y) {
				n++
			}
		}
	}
	return n
}

// reordered is whether the stems that both have stand in another order.
func (c *comparison) reordered() bool {
	next := func(of, other *Prompt, i int) int {
		for i < len(of.content) {
			if _, ok := slices.BinarySearch(other.stems, of.content[i]); ok {
				break
			}
			i++
		}
		return i
	}
	i, j := next(c.a, c.b, 0), next(c.b, c.a, 0)
	common := 0
	for i < len(c.a.content) && j < len(c.b.content) {
		if c.a.content[i] != c.b.content[j] {
			return true
		}
		common++
		i, j = next(c.a, c.b, i+1), next(c.b, c.a, j+1)
	}
	return common > 0 && (i < len(c.a.content) || j < len(c.b.content))
}

func (c *comparison) exchanged() bool {
	for _, x := range c.a.roles {
		for _, y := range c.b.roles {
			if x.stem == y.stem && x.preposition != y.preposition {
				return true
			}
		}
	}
	return false
}

// asksOther is whether two ways of asking want another kind of answer.
func asksOther(a, b string) bool {
	return a != b && a != "" && b != "" && (isKind(a) || isKind(b))
}

func isKind(q string) bool {
	switch q {
	case "who", "when", "where", "why", "how much", "how many", "how long", "how old":
		return true
	}
	return false
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// both is 1 when each has an element that the other has not, one when only one has. They are sorted.
func both(a, b []string) float64 { x, y := apart(a, b); return flag(x && y) }
func one(a, b []string) float64  { x, y := apart(a, b); return flag(x != y) }

func apart(a, b []string) (onlyA, onlyB bool) { return !within(a, b), !within(b, a) }

func within(a, b []string) bool {
	for _, x := range a {
		if _, ok := slices.BinarySearch(b, x); !ok {
			return false
		}
	}
	return true
}

func jaccard(a, b []uint32) float64 {
	common, i, j := 0, 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			common++
			i++
			j++
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	return float64(common) / float64(max(1, len(a)+len(b)-common))
}
