package attr

import (
	"slices"
	"strings"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/arabic"
	"github.com/blevesearch/snowballstem/danish"
	"github.com/blevesearch/snowballstem/dutch"
	"github.com/blevesearch/snowballstem/english"
	"github.com/blevesearch/snowballstem/finnish"
	"github.com/blevesearch/snowballstem/french"
	"github.com/blevesearch/snowballstem/german"
	"github.com/blevesearch/snowballstem/hungarian"
	"github.com/blevesearch/snowballstem/irish"
	"github.com/blevesearch/snowballstem/italian"
	"github.com/blevesearch/snowballstem/norwegian"
	"github.com/blevesearch/snowballstem/portuguese"
	"github.com/blevesearch/snowballstem/romanian"
	"github.com/blevesearch/snowballstem/russian"
	"github.com/blevesearch/snowballstem/spanish"
	"github.com/blevesearch/snowballstem/swedish"
	"github.com/blevesearch/snowballstem/tamil"
	"github.com/blevesearch/snowballstem/turkish"
)

// Stemmer gives the stem of a word in lower case.
type Stemmer func(word string) string

// stemmers are the languages that have one.
var stemmers = map[string]func(*snowballstem.Env) bool{
	"arabic": arabic.Stem, "danish": danish.Stem, "dutch": dutch.Stem, "english": english.Stem,
	"finnish": finnish.Stem, "french": french.Stem, "german": german.Stem, "hungarian": hungarian.Stem,
	"irish": irish.Stem, "italian": italian.Stem, "norwegian": norwegian.Stem, "portuguese": portuguese.Stem,
	"romanian": romanian.Stem, "russian": russian.Stem, "spanish": spanish.Stem, "swedish": swedish.Stem,
	"tamil": tamil.Stem, "turkish": turkish.Stem,
}

// unstemmed are the languages that RediSearch knows and the library has no stemmer of.
// Their words are found as they stand.
var unstemmed = []string{
	"armenian", "basque", "catalan", "chinese", "greek", "hindi", "indonesian", "lithuanian", "nepali", "serbian", "yiddish",
}

// NewStemmer returns the Snowball stemmer of a language ("english"), nil for one that has
// none, and false if nobody knows the language.
func NewStemmer(language string) (Stemmer, bool) {
	stem, ok := stemmers[strings.ToLower(language)]
	if !ok {
		return nil, slices.Contains(unstemmed, strings.ToLower(language))
	}
	return func(word string) string {
		if len(word) > 64 { // no word of a language
			return word
		}
		env := snowballstem.NewEnv(word)
		stem(env)
		return env.Current()
	}, true
}
