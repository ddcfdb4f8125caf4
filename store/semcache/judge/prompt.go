package judge

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Prompt is a text taken apart. It is not changed after Parse, so many
// goroutines may compare it.
type Prompt struct {
	words    []string // in lower case, contractions written out, fillers left out
	content  []string // stems of the words that carry a subject, in order
	stems    []string // the same, sorted, each once
	set      []string // words, sorted, each once
	grams    []uint32 // trigrams of letters, sorted, each once
	numbers  []string // sorted, as are the next
	dates    []string
	units    []string
	names    []string
	roles    []role // what follows from and to
	question string // who, what, how much, … ; "yes or no"; "" for a command
	script   *unicode.RangeTable
	negated  int // words that turn the sentence round
	refused  int // words with a negative sense
}

// role is a word that a preposition gives a part in the sentence: from London.
type role struct{ preposition, stem string }

// Parse takes a text apart, in time proportional to its length.
func Parse(text string) *Prompt {
	reading.Do(read)
	text = strings.ReplaceAll(norm.NFKC.String(strings.ToValidUTF8(text, " ")), "’", "'")
	p := &Prompt{script: scriptOf(text)}
	// Room for as many words as there are blanks, and for those that carry a subject, in order and sorted.
	n := strings.Count(text, " ") + 2
	room := make([]string, 4*n)
	p.words, p.content, p.set, p.stems = room[:0:n], room[n:n:2*n], room[2*n:2*n:3*n], room[3*n:3*n:4*n]
	start := true // of a sentence
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case isWord(r):
			j := i + wordEnd(text[i:])
			p.add(text[i:j], start)
			start = false
			i = j
		case r == '$' || r == '%' || r == '£' || r == '€':
			p.push(text[i:i+n], lexeme{})
			i += n
		default:
			start = start || r == '.' || r == '!' || r == '?'
			i += n
		}
	}
	p.finish()
	return p
}

func isWord(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r|0x20 && r|0x20 <= 'z' || '0' <= r && r <= '9'
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

// wordEnd is where the word at the start of s ends. Apostrophes between
// letters, and points and commas between digits, belong to it.
func wordEnd(s string) int {
	var last rune
	for i, r := range s {
		if !isWord(r) {
			next, _ := utf8.DecodeRuneInString(s[i+utf8.RuneLen(r):])
			inside := r == '\'' && unicode.IsLetter(last) && unicode.IsLetter(next) ||
				(r == '.' || r == ',') && unicode.IsDigit(last) && unicode.IsDigit(next)
			if !inside {
				return i
			}
		}
		last = r
	}
	return len(s)
}

// add takes a word as it is written; first is whether a sentence begins with it.
func (p *Prompt) add(raw string, first bool) {
	w := strings.ToLower(raw)
	known := lexicon[w]
	if known.long != "" {
		a, b, _ := strings.Cut(known.long, " ")
		p.push(a, lexicon[a])
		p.push(b, lexicon[b])
		return
	}
	if head, ok := strings.CutSuffix(w, "n't"); ok {
		p.push(head, lexicon[head])
		p.push("not", lexicon["not"])
		return
	}
	if head, ok := strings.CutSuffix(w, "'s"); ok {
		w, known = head, lexicon[head]
	}
	capital := 0
	for _, r := range raw {
		if unicode.IsUpper(r) {
			capital++
		}
	}
	if capital > 1 || capital == 1 && !first {
		if known.date == "" && known.is&(stopWord|filler) == 0 {
			p.names = append(p.names, stem(w))
		}
	}
	if w == "may" && capital > 0 && !first {
		p.dates = append(p.dates, "may")
	}
	p.push(w, known)
}

// push takes a word in lower case, and what is known of it.
func (p *Prompt) push(w string, known lexeme) {
	if known.is&filler != 0 {
		return
	}
	p.words = append(p.words, w)
	s := stem(w)
	if n := numberOf(w, known); n != "" {
		p.numbers = append(p.numbers, n)
		s = n // "third" and "3rd" are partners
	}
	if known.date != "" {
		p.dates = append(p.dates, known.date)
	}
	if known.is&unit != 0 {
		p.units = append(p.units, s)
	}
	if known.is&negation != 0 {
		p.negated++
		return
	}
	if known.is&refusal != 0 || len(s) < len(w) && lexicon[s].is&refusal != 0 || isUndone(w) {
		p.refused++
	}
	if known.is&stopWord == 0 {
		p.content = append(p.content, s)
	}
}

// isUndone is whether a word begins with un or non as a negation does: unlawful, not unit or union.
func isUndone(w string) bool {
	rest, ok := strings.CutPrefix(w, "un")
	if !ok {
		rest, ok = strings.CutPrefix(w, "non")
	}
	if !ok || len(w) <= 5 {
		return false
	}
	for _, not := range []string{"it", "ion", "ivers", "der", "til", "ique", "le"} {
		if strings.HasPrefix(rest, not) {
			return false
		}
	}
	return true
}

// numberOf is the number that a word means, "" for none: 1,000 is 1000, third is 3, 10gb is 10.
func numberOf(w string, known lexeme) string {
	if known.number != "" {
		return known.number
	}
	if !hasDigit(w) {
		return ""
	}
	end := 0
	for end < len(w) && (w[end] >= '0' && w[end] <= '9' || w[end] == '.' || w[end] == ',') {
		end++
	}
	switch w[end:] {
	case "", "st", "nd", "rd", "th", "k", "m", "gb", "mb", "pm", "am", "h", "hr", "hrs", "kg", "cm", "mm", "km", "bn":
		return strings.ReplaceAll(w[:end], ",", "")
	}
	return w // a version, a model: it has to be the same
}

func (p *Prompt) finish() {
	p.set = sorted(append(p.set, p.words...))
	p.stems = sorted(append(p.stems, p.content...))
	p.numbers, p.dates, p.units, p.names = sorted(p.numbers), sorted(p.dates), sorted(p.units), sorted(p.names)
	p.question = questionOf(p.words)
	p.grams = trigrams(p.words)
	for i, w := range p.words {
		if w != "from" && w != "to" && w != "into" {
			continue
		}
		j := i + 1
		for j < len(p.words) && (p.words[j] == "my" || p.words[j] == "the" || p.words[j] == "a" || p.words[j] == "an" || p.words[j] == "your" || p.words[j] == "our") {
			j++
		}
		if j < len(p.words) {
			p.roles = append(p.roles, role{strings.TrimPrefix(w, "in"), stem(p.words[j])})
		}
	}
}

// sorted is s in order, each element once.
func sorted(s []string) []string {
	slices.Sort(s)
	return slices.Compact(s)
}

var (
	asking = map[string]bool{"who": true, "whom": true, "whose": true, "what": true, "which": true, "when": true, "where": true, "why": true, "how": true}
	degree = map[string]bool{
		"much": true, "many": true, "long": true, "old": true, "far": true, "often": true, "big": true, "tall": true,
		"soon": true, "early": true, "late": true, "fast": true,
	}
	verbFirst = map[string]bool{
		"is": true, "are": true, "do": true, "does": true, "did": true, "can": true, "could": true, "will": true, "would": true,
		"should": true, "has": true, "have": true, "was": true, "were": true, "am": true, "may": true,
	}
)

const yesOrNo = "yes or no"

func questionOf(words []string) string {
	for i, w := range words {
		if !asking[w] {
			continue
		}
		if w == "how" && i+1 < len(words) && degree[words[i+1]] {
			return "how " + words[i+1]
		}
		return w
	}
	if len(words) > 0 && verbFirst[words[0]] {
		return yesOrNo
	}
	return ""
}

// trigrams are the runs of three bytes of the words with a space between them.
func trigrams(words []string) []uint32 {
	n := 2
	for _, w := range words {
		n += len(w) + 1
	}
	out := make([]uint32, 0, n)
	g, have := uint32(' '), 1
	next := func(c byte) {
		g = (g<<8 | uint32(c)) & 0xffffff
		if have++; have >= 3 {
			out = append(out, g)
		}
	}
	for _, w := range words {
		for i := range len(w) {
			next(w[i])
		}
		next(' ')
	}
	slices.Sort(out)
	return slices.Compact(out)
}

var scripts = []*unicode.RangeTable{
	unicode.Latin, unicode.Cyrillic, unicode.Greek, unicode.Han, unicode.Hiragana, unicode.Hangul, unicode.Arabic,
	unicode.Hebrew, unicode.Devanagari, unicode.Bengali, unicode.Thai, unicode.Tamil,
}

// scriptOf is the script of most of the first letters, or nil without any.
func scriptOf(text string) *unicode.RangeTable {
	var count [12]int
	seen, best := 0, -1
	for _, r := range text {
		if r < utf8.RuneSelf {
			if r |= 0x20; r < 'a' || r > 'z' {
				continue
			}
			count[0]++ // unicode.Latin
			if best < 0 || count[0] > count[best] {
				best = 0
			}
			if seen++; seen == 64 {
				break
			}
			continue
		}
		if !unicode.IsLetter(r) {
			continue
		}
		for i, s := range scripts {
			if unicode.Is(s, r) {
				if count[i]++; best < 0 || count[i] > count[best] {
					best = i
				}
				break
			}
		}
		if seen++; seen == 64 {
			break
		}
	}
	if best < 0 {
		return nil
	}
	return scripts[best]
}
