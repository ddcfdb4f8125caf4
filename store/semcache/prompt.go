package semcache

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normalise appends what two prompts have to share to be the same: the text in
// NFC, in lower case and with single spaces, as the namespace has it.
func (n *Namespace) normalise(dst, prompt []byte) []byte {
	start, space := len(dst), true
	for _, b := range prompt {
		if b >= utf8.RuneSelf {
			return n.normaliseUnicode(dst[:start], prompt)
		}
		switch {
		case !n.KeepSpace && asciiSpace(b):
			if space {
				continue
			}
			space, b = true, ' '
		case !n.KeepCase && 'A' <= b && b <= 'Z':
			space = false
			b |= 0x20
		default:
			space = false
		}
		dst = append(dst, b)
	}
	if !n.KeepSpace && space && len(dst) > start {
		dst = dst[:len(dst)-1]
	}
	return dst
}

func asciiSpace(b byte) bool { return b == ' ' || '\t' <= b && b <= '\r' }

func (n *Namespace) normaliseUnicode(dst, prompt []byte) []byte {
	if !utf8.Valid(prompt) { // bytes that are no text are what they are
		return append(dst, prompt...)
	}
	p := norm.NFC.Bytes(prompt)
	if !n.KeepCase {
		p = norm.NFC.Bytes(bytes.ToLower(p))
	}
	if n.KeepSpace {
		return append(dst, p...)
	}
	for i, w := range bytes.FieldsFunc(p, unicode.IsSpace) {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, w...)
	}
	return dst
}

// idSize is how many bytes of a SHA-256 tell entries apart.
const idSize = 16

// meant marks a partition in which contexts are compared by what they mean.
const meant = 1 << 16

// partitionOf is the hash of scope and context, and of whether contexts are compared by what they
// mean. The scope is sorted in place.
func partitionOf(dst []byte, scope []Pair, context string, kind int) []byte {
	slices.SortFunc(scope, func(a, b Pair) int { return strings.Compare(a.Field, b.Field) })
	var room [512]byte
	b := binary.AppendUvarint(room[:0], uint64(len(scope)|kind))
	for _, p := range scope {
		b = appendSized(b, p.Field)
		b = appendSized(b, p.Value)
	}
	b = append(b, context...)
	sum := sha256.Sum256(b)
	return hex.AppendEncode(dst, sum[:idSize])
}

func appendSized(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// place is where a prompt belongs. Its buffers are used again.
type place struct {
	partition []byte // in hex
	normal    []byte // partition, mark of what came before and normalised prompt: what is hashed
	key       []byte
}

// locate finds the place of a prompt.
func (n *Namespace) locate(at *place, prompt []byte, scope []Pair, context string, b before) {
	kind := 0
	if b.some() {
		kind = meant
	}
	at.partition = partitionOf(at.partition[:0], scope, context, kind)
	at.normal = append(append(at.normal[:0], at.partition...), b.mark()...)
	at.normal = n.normalise(at.normal, prompt)
	at.key = append(at.key[:0], n.prefix...)
	at.key = appendID(at.key, at.normal)
}

// appendID appends the id of what locate has hashed.
func appendID(dst, normal []byte) []byte {
	sum := sha256.Sum256(normal)
	return hex.AppendEncode(dst, sum[:idSize])
}

// id is the part of the key that callers see.
func (n *Namespace) id(key string) string { return strings.TrimPrefix(key, n.prefix) }

// checkScope reports what is wrong with a scope or context.
func (n *Namespace) checkScope(prompt []byte, scope []Pair, context string) error {
	switch {
	case len(prompt) > MaxPrompt:
		return paramErrorf("a prompt may have %d bytes", MaxPrompt)
	case len(scope) > MaxWords:
		return paramErrorf("a scope may have %d fields", MaxWords)
	case len(context) > MaxWord:
		return paramErrorf("a context may have %d bytes", MaxWord)
	}
	for i, p := range scope {
		if err := checkField(p.Field); err != nil {
			return err
		}
		if err := checkWord(p.Value); err != nil {
			return err
		}
		for _, q := range scope[:i] {
			if q.Field == p.Field {
				return paramErrorf("the scope has %s twice", p.Field)
			}
		}
	}
	for _, f := range n.Scopes {
		if !slices.ContainsFunc(scope, func(p Pair) bool { return p.Field == f }) {
			return paramErrorf("the namespace wants a scope with %s", f)
		}
	}
	return nil
}

// checkField reports what is wrong with the field of a scope.
func checkField(s string) error {
	if strings.Contains(s, "=") {
		return paramError("the field of a scope may not hold =")
	}
	return checkWord(s)
}

func checkWord(s string) error {
	if len(s) > MaxWord || strings.IndexByte(s, separator) >= 0 {
		return paramErrorf("a scope, tag, key or id may have %d bytes, and no byte 31", MaxWord)
	}
	return nil
}
