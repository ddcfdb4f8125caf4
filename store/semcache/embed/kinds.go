package embed

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/store/semcache/embed/bert"
)

// Source is what computes vectors.
type Source interface {
	// Embed returns a vector of length 1 for each text. It is called with at most
	// Options.Batch texts, by several goroutines.
	Embed(ctx context.Context, texts []string) ([][]float32, error)
	// Dim is the length of the vectors, 0 while it is not known.
	Dim() int
}

// Kind is a way to embed texts.
type Kind struct {
	Name string
	What string // what stands behind the colon, for the documentation
	// Remote says that texts are best sent in batches, a few at a time; without it
	// texts are computed here, one by one on half of the cores.
	Remote bool
	// Cheap says that computing is no dearer than remembering.
	Cheap bool
	// Open gets what stood behind the colon. options are the current ones.
	Open func(what string, options func() Options) (Source, error)
}

// Kinds lists the ways.
var Kinds = []*Kind{
	{
		Name: "lexical", What: "number of dimensions, 384 unless given", Cheap: true,
		Open: func(what string, _ func() Options) (Source, error) { return newLexical(what) },
	},
	{
		Name: "openai", What: "model name, asked of embed-url", Remote: true,
		Open: func(what string, options func() Options) (Source, error) { return newRemote(what, options) },
	},
	{
		Name: "local", What: "folder of a sentence-transformers model of the BERT kind",
		Open: func(what string, _ func() Options) (Source, error) { return bert.Open(what) },
	},
}

// spec is what a word of the setting says: [name=]kind[:what].
type spec struct {
	name, what string
	kind       *Kind
}

func parseSpec(word string) (spec, error) {
	name, rest, named := strings.Cut(word, "=")
	if !named {
		name, rest = word, word
	}
	kind, what, _ := strings.Cut(rest, ":")
	i := slices.IndexFunc(Kinds, func(k *Kind) bool { return k.Name == kind })
	switch {
	case i < 0:
		return spec{}, fmt.Errorf("%q: what embeds is one of %s", word, kindNames())
	case name == "":
		return spec{}, fmt.Errorf("%q: the name is empty", word)
	case what == "" && kind != "lexical":
		return spec{}, fmt.Errorf("%q: %s: needs a %s", word, kind, Kinds[i].What)
	}
	if kind == "lexical" {
		if _, err := lexicalDim(what); err != nil {
			return spec{}, fmt.Errorf("%q: %w", word, err)
		}
	}
	return spec{name: name, what: what, kind: Kinds[i]}, nil
}

func kindNames() string {
	var l []string
	for _, k := range Kinds {
		l = append(l, k.Name)
	}
	return strings.Join(l, ", ")
}

// Check reports the first word of the setting that says nothing.
func Check(words []string) error {
	seen := map[string]bool{}
	for _, w := range words {
		s, err := parseSpec(w)
		if err != nil {
			return err
		}
		if seen[s.name] {
			return fmt.Errorf("%q is there twice", s.name)
		}
		seen[s.name] = true
	}
	return nil
}

func lexicalDim(what string) (int, error) {
	if what == "" {
		return defaultLexicalDim, nil
	}
	n, err := strconv.Atoi(what)
	if err != nil || n < 16 || n > index.MaxDim {
		return 0, fmt.Errorf("lexical takes 16 to %d dimensions", index.MaxDim)
	}
	return n, nil
}
