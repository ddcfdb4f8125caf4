package bert

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// tokenizer is BERT's: words, then the longest pieces of each that are in the vocabulary.
type tokenizer struct {
	vocab     map[string]int32
	prefix    string // of a piece that continues a word
	maxWord   int    // runes; a longer word is unknown
	longest   int    // piece, in runes
	unknown   int32
	first     int32 // [CLS]
	last      int32 // [SEP]
	lowercase bool
	accents   bool // are kept
	clean     bool
	chinese   bool // each Chinese character is a word
}

// maxVocab is how many pieces a vocabulary may have: ten times those of multilingual models.
const maxVocab = 1 << 22

// readTokenizer reads tokenizer.json.
func readTokenizer(text []byte) (*tokenizer, error) {
	var f struct {
		Normalizer *struct {
			Type         string
			CleanText    *bool `json:"clean_text"`
			Chinese      *bool `json:"handle_chinese_chars"`
			StripAccents *bool `json:"strip_accents"`
			Lowercase    *bool
		}
		PreTokenizer struct{ Type string } `json:"pre_tokenizer"`
		Model        struct {
			Type    string
			Unknown string  `json:"unk_token"`
			Prefix  *string `json:"continuing_subword_prefix"`
			MaxWord int     `json:"max_input_chars_per_word"`
			Vocab   json.RawMessage
		}
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, err
	}
	switch {
	case f.Model.Type != "WordPiece" && f.Model.Type != "":
		return nil, fmt.Errorf("a tokenizer of the kind %q; WordPiece is known", f.Model.Type)
	case f.Normalizer == nil || f.Normalizer.Type != "BertNormalizer" || f.PreTokenizer.Type != "BertPreTokenizer":
		return nil, errors.New("a tokenizer that is not BERT's")
	}
	t := &tokenizer{prefix: "##", maxWord: f.Model.MaxWord}
	if err := json.Unmarshal(f.Model.Vocab, &t.vocab); err != nil {
		return nil, fmt.Errorf("vocabulary: %w", err)
	}
	if f.Model.Prefix != nil {
		t.prefix = *f.Model.Prefix
	}
	on := func(b *bool, otherwise bool) bool {
		if b == nil {
			return otherwise
		}
		return *b
	}
	t.lowercase = on(f.Normalizer.Lowercase, true)
	t.accents = !on(f.Normalizer.StripAccents, t.lowercase)
	t.clean = on(f.Normalizer.CleanText, true)
	t.chinese = on(f.Normalizer.Chinese, true)
	return t, t.finish(f.Model.Unknown)
}

// readVocab reads vocab.txt, a piece a line, and tokenizer_config.json, which may be nil.
func readVocab(vocab, config []byte) (*tokenizer, error) {
	f := struct {
		Lower   *bool `json:"do_lower_case"`
		Accents *bool `json:"strip_accents"`
		Chinese *bool `json:"tokenize_chinese_chars"`
	}{}
	if config != nil {
		if err := json.Unmarshal(config, &f); err != nil {
			return nil, err
		}
	}
	t := &tokenizer{vocab: map[string]int32{}, prefix: "##", clean: true}
	t.lowercase = f.Lower == nil || *f.Lower
	t.accents = !t.lowercase
	if f.Accents != nil {
		t.accents = !*f.Accents
	}
	t.chinese = f.Chinese == nil || *f.Chinese
	s := bufio.NewScanner(bytes.NewReader(vocab))
	for n := int32(0); s.Scan(); n++ {
		if n >= maxVocab {
			break
		}
		t.vocab[strings.TrimRight(s.Text(), "\r")] = n
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	return t, t.finish("")
}

func (t *tokenizer) finish(unknown string) error {
	if len(t.vocab) == 0 || len(t.vocab) > maxVocab {
		return fmt.Errorf("a vocabulary of %d pieces", len(t.vocab))
	}
	if unknown == "" {
		unknown = "[UNK]"
	}
	if t.maxWord <= 0 || t.maxWord > 1000 {
		t.maxWord = 100
	}
	for _, s := range []struct {
		id   *int32
		name string
	}{{&t.unknown, unknown}, {&t.first, "[CLS]"}, {&t.last, "[SEP]"}} {
		id, ok := t.vocab[s.name]
		if !ok {
			return fmt.Errorf("the vocabulary has no %s", s.name)
		}
		*s.id = id
	}
	for piece := range t.vocab {
		t.longest = max(t.longest, utf8.RuneCountInString(piece))
	}
	return nil
}

// largest is the highest number of a piece.
func (t *tokenizer) largest() (n int32, err error) {
	for piece, id := range t.vocab {
		if id < 0 {
			return 0, fmt.Errorf("piece %q has the number %d", piece, id)
		}
		n = max(n, id)
	}
	return n, nil
}

// encode appends the numbers of text's pieces to dst, at most limit of them
// with the marks at both ends. What is behind is not looked at.
func (t *tokenizer) encode(dst []int32, text string, limit int) []int32 {
	e := encoder{tokenizer: t, ids: append(dst, t.first)}
	full := len(dst) + limit - 1
	for _, r := range text {
		if len(e.ids) >= full {
			break
		}
		e.add(r)
	}
	e.flush()
	if len(e.ids) > full {
		e.ids = e.ids[:full]
	}
	return append(e.ids, t.last)
}

// encoder is a text on its way.
type encoder struct {
	*tokenizer
	ids  []int32
	word []rune // the one that is being read
}

// add takes the next rune of the text.
func (e *encoder) add(r rune) {
	switch {
	case e.clean && isNothing(r):
	case unicode.IsSpace(r):
		e.flush()
	case e.chinese && isChinese(r):
		e.alone(r)
	case r < utf8.RuneSelf || e.accents:
		e.letter(r)
	default:
		var buf [utf8.UTFMax]byte
		for _, d := range string(norm.NFD.Append(nil, buf[:utf8.EncodeRune(buf[:], r)]...)) {
			if !unicode.Is(unicode.Mn, d) {
				e.letter(d)
			}
		}
	}
}

func (e *encoder) letter(r rune) {
	if e.lowercase {
		r = unicode.ToLower(r)
	}
	if isPunctuation(r) {
		e.alone(r)
		return
	}
	e.word = append(e.word, r)
}

// alone takes a rune that is a word.
func (e *encoder) alone(r rune) {
	e.flush()
	e.word = append(e.word, r)
	e.flush()
}

// flush ends the word: it becomes the longest pieces that make it up, or the unknown one.
func (e *encoder) flush() {
	word, start := e.word, len(e.ids)
	e.word = e.word[:0]
	if len(word) > e.maxWord {
		e.ids = append(e.ids, e.unknown)
		return
	}
	for i := 0; i < len(word); {
		prefix := ""
		if i > 0 {
			prefix = e.prefix
		}
		j := min(len(word), i+e.longest)
		for ; j > i; j-- {
			if id, ok := e.vocab[prefix+string(word[i:j])]; ok {
				e.ids = append(e.ids, id)
				break
			}
		}
		if j == i {
			e.ids = append(e.ids[:start], e.unknown)
			return
		}
		i = j
	}
}

// isNothing is whether cleaning drops r: controls, and what could not be decoded.
func isNothing(r rune) bool {
	switch r {
	case '\t', '\n', '\r':
		return false
	}
	return r == 0 || r == utf8.RuneError || unicode.Is(unicode.C, r)
}

// isPunctuation is BERT's, for which all of ASCII that is no letter, digit or space is.
func isPunctuation(r rune) bool {
	if r < utf8.RuneSelf {
		return r > ' ' && r < 127 && !('0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z')
	}
	return unicode.IsPunct(r)
}

// isChinese is BERT's: the blocks of ideographs, without the scripts that part words by spaces.
func isChinese(r rune) bool {
	return 0x4E00 <= r && r <= 0x9FFF || 0x3400 <= r && r <= 0x4DBF || 0x20000 <= r && r <= 0x2A6DF ||
		0x2A700 <= r && r <= 0x2B73F || 0x2B740 <= r && r <= 0x2B81F || 0x2B820 <= r && r <= 0x2CEAF ||
		0xF900 <= r && r <= 0xFAFF || 0x2F800 <= r && r <= 0x2FA1F
}
