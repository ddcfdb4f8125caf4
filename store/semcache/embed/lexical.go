package embed

import (
	"context"
	"math"
	"strings"
	"unicode"

	"github.com/zeebo/xxh3"
	"golang.org/x/text/unicode/norm"

	"github.com/nearcache/nearcache/index/kernel"
)

// lexical counts words, pairs of words and letters that follow each other, each at the place and
// with the sign that its hash says. Texts that are written alike get vectors that
// are alike. It knows nothing of meaning: it is for trying things without a model.
type lexical struct{ dim int }

const defaultLexicalDim = 384

// maxLexical is how many bytes of a text count: a language model's prompt may be long,
// and what it is about stands at its beginning or is repeated.
const maxLexical = 32 << 10

func newLexical(what string) (Source, error) {
	dim, err := lexicalDim(what)
	return lexical{dim}, err
}

// Dim implements Source.
func (l lexical) Dim() int { return l.dim }

// Embed implements Source.
func (l lexical) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i, text := range texts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out[i] = l.embed(text)
	}
	return out, nil
}

// The weights of the three kinds of features: a word says more than three of its letters.
const (
	wordWeight = 1.0
	pairWeight = 0.7
	gramWeight = 0.35
)

func (l lexical) embed(text string) []float32 {
	if len(text) > maxLexical {
		text = text[:maxLexical]
	}
	v := make([]float32, l.dim)
	words := strings.FieldsFunc(strings.ToLower(norm.NFKC.String(strings.ToValidUTF8(text, " "))), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
	})
	before := ""
	var b []byte
	for _, w := range words {
		l.count(v, append(append(b[:0], 'w'), w...), wordWeight)
		if before != "" {
			b = append(append(append(append(b[:0], 'p'), before...), ' '), w...)
			l.count(v, b, pairWeight)
		}
		before = w
		runes := []rune(" " + w + " ")
		for i := 0; i+3 <= len(runes); i++ {
			b = append(b[:0], 'g')
			for _, r := range runes[i : i+3] {
				b = append(b, string(r)...)
			}
			l.count(v, b, gramWeight)
		}
	}
	for i, x := range v { // what is repeated counts less each time
		v[i] = float32(math.Copysign(math.Sqrt(math.Abs(float64(x))), float64(x)))
	}
	kernel.Normalize32(v)
	return v
}

func (l lexical) count(v []float32, feature []byte, weight float32) {
	h := xxh3.Hash(feature)
	if h>>63 != 0 {
		weight = -weight
	}
	v[(h&(1<<62-1))%uint64(l.dim)] += weight
}
