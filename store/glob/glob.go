package glob

import (
	"strings"
	"unsafe"
)

// A pattern such as *a*a*a*b takes steps in proportion to the product of both
// lengths. Common patterns stay far below these, which grow with the text; at
// some nanoseconds a step, the base is a few milliseconds.
const (
	baseSteps    = 1 << 20
	stepsPerByte = 16
)

// Match reports whether text matches pattern. When an abusive pattern has used
// up the steps that a text of that length is granted, the answer is no.
func Match(pattern, text []byte) bool { return match(view(pattern), view(text), false) }

// MatchString is Match for strings.
func MatchString(pattern, text string) bool { return match(pattern, text, false) }

// MatchFold is MatchString with no regard to the case of ASCII letters.
func MatchFold(pattern, text string) bool { return match(pattern, text, true) }

func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// match keeps one point to come back to: when what follows a star fails, the
// last star takes one byte more. An earlier star need not be tried again, since
// whatever it could take more of, the last one can take too.
func match(p, s string, fold bool) bool {
	var (
		i, j  int
		star  = -1 // index behind the last star, where to come back to
		from  int  // and the byte of s at which that was tried last
		steps = baseSteps + stepsPerByte*len(s)
	)
	for j < len(s) {
		if steps <= 0 {
			return false
		}
		if i < len(p) {
			n, ok := 1, false
			switch p[i] {
			case '*':
				for i < len(p) && p[i] == '*' {
					i++
				}
				if i == len(p) {
					return true
				}
				star = i
				if from = candidate(p[i:], s, j, fold); from < 0 {
					return false
				}
				j = from
				continue
			case '?', '[', '\\':
				n, ok = one(p[i:], s[j], fold)
			default:
				ok = p[i] == s[j] || fold && lower(p[i]) == lower(s[j])
			}
			steps -= n // a class costs its length
			if ok {
				i += n
				j++
				continue
			}
		}
		if star < 0 {
			return false
		}
		if from = candidate(p[star:], s, from+1, fold); from < 0 {
			return false
		}
		i, j = star, from
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

// candidate returns the first index of s, from j on, at which p could begin to
// match, or -1.
func candidate(p, s string, j int, fold bool) int {
	c := p[0]
	if c == '\\' && len(p) > 1 {
		c = p[1]
	} else if c == '?' || c == '[' {
		return j
	}
	if fold && lower(c) != upper(c) {
		return j
	}
	n := strings.IndexByte(s[j:], c)
	if n < 0 {
		return -1
	}
	return j + n
}

// one returns the length of the first element of p, which is no star, and whether
// it matches c.
func one(p string, c byte, fold bool) (int, bool) {
	switch p[0] {
	case '?':
		return 1, true
	case '[':
		return class(p, c, fold)
	case '\\':
		if len(p) > 1 {
			return 2, same(p[1], c, fold)
		}
	}
	return 1, same(p[0], c, fold)
}

// class returns the length of the class at the start of p, and whether it holds c.
func class(p string, c byte, fold bool) (int, bool) {
	i := 1
	not := i < len(p) && p[i] == '^'
	if not {
		i++
	}
	found := false
	for ; i < len(p) && p[i] != ']'; i++ {
		switch {
		case p[i] == '\\' && i+1 < len(p):
			i++
			found = found || p[i] == c
		case i+2 < len(p) && p[i+1] == '-':
			lo, hi, x := min(p[i], p[i+2]), max(p[i], p[i+2]), c
			if fold {
				lo, hi, x = lower(lo), lower(hi), lower(c)
			}
			i += 2
			found = found || lo <= x && x <= hi
		default:
			found = found || same(p[i], c, fold)
		}
	}
	return min(i+1, len(p)), found != not
}

func same(a, b byte, fold bool) bool { return a == b || fold && lower(a) == lower(b) }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c + 'A' - 'a'
	}
	return c
}
