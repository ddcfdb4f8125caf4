package judge

import (
	"embed"
	"strings"
	"sync"
)

//go:embed lists/*.txt
var listFiles embed.FS

// rows are the lines of a list, comments left out, each cut into its words.
func rows(name string) [][]string {
	b, err := listFiles.ReadFile("lists/" + name + ".txt")
	if err != nil {
		panic(err) // it is embedded
	}
	var out [][]string
	for l := range strings.Lines(string(b)) {
		if l = strings.TrimSpace(l); l != "" && l[0] != '#' {
			out = append(out, strings.Fields(l))
		}
	}
	return out
}

// groups maps each word to the numbers of the lines it stands in; of is applied to the words.
func groups(name string, of func(string) string) map[string][]int {
	m := map[string][]int{}
	for i, r := range rows(name) {
		for _, w := range r {
			m[of(w)] = append(m[of(w)], i)
		}
	}
	return m
}

// What the lists say, once read has run. Parse runs it, so that a process that judges
// nothing does not read them.
var (
	lexicon map[string]lexeme // of words in lower case

	opposites, synonyms map[string][]int
)

// lexeme is what is known of a word; the zero value: nothing.
type lexeme struct {
	is     kind
	number string // that it means
	date   string // …the day or month
	long   string // the two words that it contracts
}

// kind is a set of what a word may be.
type kind uint8

const (
	stopWord kind = 1 << iota
	filler
	negation
	refusal
	unit
)

var reading sync.Once

func read() {
	lexicon = map[string]lexeme{}
	add := func(w string, f func(*lexeme)) {
		l := lexicon[w]
		f(&l)
		lexicon[w] = l
	}
	for _, list := range []struct {
		name string
		is   kind
	}{{"stop", stopWord}, {"filler", filler}, {"negation", negation}, {"refusal", refusal}, {"units", unit}} {
		for _, r := range rows(list.name) {
			for _, w := range r {
				add(w, func(l *lexeme) { l.is |= list.is })
			}
		}
	}
	contracted := map[string]string{
		"what's": "what is", "where's": "where is", "who's": "who is", "how's": "how is", "when's": "when is",
		"it's": "it is", "that's": "that is", "there's": "there is", "i'm": "i am", "i've": "i have", "i'd": "i would",
		"i'll": "i will", "you're": "you are", "you've": "you have", "we're": "we are", "we've": "we have",
		"they're": "they are", "let's": "let us", "can't": "can not", "won't": "will not", "shan't": "shall not",
		"cannot": "can not", "dont": "do not", "cant": "can not", "doesnt": "does not", "wont": "will not",
		"whats": "what is", "hows": "how is", "wheres": "where is", "isnt": "is not",
	}
	numberWords := map[string]string{
		"zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7",
		"eight": "8", "nine": "9", "ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13", "fourteen": "14",
		"fifteen": "15", "sixteen": "16", "seventeen": "17", "eighteen": "18", "nineteen": "19", "twenty": "20",
		"thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90",
		"hundred": "100", "thousand": "1000", "million": "1000000", "billion": "1000000000", "half": "0.5",
		"first": "1", "second": "2", "third": "3", "fourth": "4", "fifth": "5", "sixth": "6", "seventh": "7",
		"eighth": "8", "ninth": "9", "tenth": "10", "once": "1", "twice": "2", "double": "2", "triple": "3",
		"couple": "2", "dozen": "12",
	}
	dateWords := map[string]string{
		"january": "jan", "february": "feb", "march": "mar", "april": "apr", "june": "jun", "july": "jul",
		"august": "aug", "september": "sep", "october": "oct", "november": "nov", "december": "dec",
		"jan": "jan", "feb": "feb", "mar": "mar", "apr": "apr", "jun": "jun", "jul": "jul", "aug": "aug", "sep": "sep",
		"sept": "sep", "oct": "oct", "nov": "nov", "dec": "dec",
		"monday": "monday", "tuesday": "tuesday", "wednesday": "wednesday", "thursday": "thursday", "friday": "friday",
		"saturday": "saturday", "sunday": "sunday", "mondays": "monday", "tuesdays": "tuesday",
		"wednesdays": "wednesday", "thursdays": "thursday", "fridays": "friday", "saturdays": "saturday",
		"sundays": "sunday", "today": "today", "tomorrow": "tomorrow", "yesterday": "yesterday", "tonight": "tonight",
		"weekend": "weekend", "weekends": "weekend", "weekday": "weekday", "weekdays": "weekday",
	}
	for w, long := range contracted {
		add(w, func(l *lexeme) { l.long = long })
	}
	for w, n := range numberWords {
		add(w, func(l *lexeme) { l.number = n })
	}
	for w, d := range dateWords {
		add(w, func(l *lexeme) { l.date = d })
	}
	opposites = groups("opposites", func(w string) string { return w })
	synonyms = groups("synonyms", stem)
}
