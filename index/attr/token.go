package attr

import (
	"strings"
	"unicode/utf8"
)

// DefaultStopWords are RediSearch's.
var DefaultStopWords = []string{
	"a", "is", "the", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "it", "no",
	"not", "of", "on", "or", "such", "that", "their", "then", "there", "these", "they", "this", "to", "was",
	"will", "with",
}

// maxToken is the length of the longest word that is indexed; longer ones are
// left out, as a query for them could only come from a program gone wrong.
const maxToken = 4096

// Separates reports whether a byte stands between words.
func Separates(c byte) bool { return separates(c) }

func separates(c byte) bool {
	return c <= ' ' || c == 0x7f ||
		c >= '!' && c <= '/' || c >= ':' && c <= '@' || c >= '[' && c <= '`' && c != '_' || c >= '{' && c <= '~'
}

// Tokens cuts a text into words as RediSearch does and calls f with each, in
// lower case: white space, control characters and ASCII punctuation but the
// underscore separate; a backslash makes the separator behind it part of the
// word. The word is valid until f returns. buf is scratch memory, which is
// returned for the next call.
func Tokens(text, buf []byte, f func(word []byte)) []byte {
	return TokensAt(text, buf, func(word []byte, _, _ int) { f(word) })
}

// TokensAt is Tokens that tells f where in the text each word begins and ends.
func TokensAt(text, buf []byte, f func(word []byte, start, end int)) []byte {
	for i := 0; i < len(text); {
		start := i
		buf = buf[:0]
		ascii, upper := true, false
		for i < len(text) {
			c := text[i]
			if c == '\\' && i+1 < len(text) && separates(text[i+1]) {
				i++
				c = text[i]
			} else if separates(c) {
				break
			}
			if c >= utf8.RuneSelf {
				ascii = false
			} else if c >= 'A' && c <= 'Z' {
				upper = true
			}
			buf = append(buf, c)
			i++
		}
		if len(buf) > 0 && len(buf) <= maxToken {
			switch {
			case !ascii:
				// strings.ToLower is what the query parser uses: the two must agree on every byte.
				f([]byte(strings.ToLower(string(buf))), start, i)
			default:
				if upper {
					for j, c := range buf {
						if c >= 'A' && c <= 'Z' {
							buf[j] = c + 'a' - 'A'
						}
					}
				}
				f(buf, start, i)
			}
		}
		i++
	}
	return buf
}
