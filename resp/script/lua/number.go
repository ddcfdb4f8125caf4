package lua

import (
	"math"
	"strconv"
	"strings"
)

// appendNumber appends a number as "%.14g" prints it.
func appendNumber(b []byte, f float64) []byte {
	if i := int64(f); float64(i) == f && -1e14 < f && f < 1e14 && (i != 0 || !math.Signbit(f)) {
		return strconv.AppendInt(b, i, 10)
	}
	switch {
	case math.IsInf(f, 1):
		return append(b, "inf"...)
	case math.IsInf(f, -1):
		return append(b, "-inf"...)
	case f != f && math.Signbit(f):
		return append(b, "-nan"...)
	case f != f:
		return append(b, "nan"...)
	}
	return strconv.AppendFloat(b, f, 'g', 14, 64)
}

func formatNumber(f float64) string {
	var b [32]byte
	return string(appendNumber(b[:0], f))
}

// toNumber converts a value as arithmetic does.
func toNumber(v Value) (float64, bool) {
	if v.isNumber() {
		return v.float(), true
	}
	if v.isString() {
		return parseNumber(v.str().s)
	}
	return 0, false
}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isAlpha(c byte) bool { c |= 0x20; return 'a' <= c && c <= 'z' }
func isAlnum(c byte) bool { return isDigit(c) || isAlpha(c) }
func isHex(c byte) bool   { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

// parseNumber reads a numeral as C's strtod does, with space around it and up to
// a NUL: decimal and hexadecimal, "inf" and "nan" included.
func parseNumber(s string) (float64, bool) {
	if f, ok := parseDigits(s); ok {
		return f, true
	}
	s = cString(s)
	for len(s) > 0 && isSpace(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	if len(s) == 0 || len(s) > maxNumeral {
		return 0, false
	}
	neg, body := s[0] == '-', s
	if s[0] == '-' || s[0] == '+' {
		body = s[1:]
	}
	if len(body) == 0 {
		return 0, false
	}
	if len(body) > 2 && body[0] == '0' && body[1]|0x20 == 'x' {
		return parseHex(body[2:], neg)
	}
	if isAlpha(body[0]) {
		return parseName(body, neg)
	}
	for i := range len(body) {
		if c := body[i]; !isDigit(c) && c != '.' && c|0x20 != 'e' && c != '+' && c != '-' {
			return 0, false // Go would read more than C: 1_000, 0b1
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !isRange(err) {
		return 0, false
	}
	return f, true
}

// maxNumeral is longer than any numeral that somebody means; the digits behind
// it would be read again and again.
const maxNumeral = 1 << 16

func isRange(err error) bool {
	ne, ok := err.(*strconv.NumError)
	return ok && ne.Err == strconv.ErrRange
}

// parseDigits is the common case: up to fifteen digits.
func parseDigits(s string) (float64, bool) {
	if len(s) == 0 || len(s) > 15 {
		return 0, false
	}
	n := int64(0)
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return float64(n), true
}

func parseName(s string, neg bool) (float64, bool) {
	switch s = strings.ToLower(s); {
	case s == "inf" || s == "infinity":
		if neg {
			return math.Inf(-1), true
		}
		return math.Inf(1), true
	case s == "nan" || strings.HasPrefix(s, "nan(") && strings.HasSuffix(s, ")") && strings.Trim(s[4:len(s)-1], "abcdefghijklmnopqrstuvwxyz0123456789_") == "":
		if neg {
			return math.Copysign(math.NaN(), -1), true
		}
		return math.NaN(), true
	}
	return 0, false
}

// parseHex reads what stands behind 0x: digits, a point, a binary exponent.
func parseHex(s string, neg bool) (float64, bool) {
	digits := 0
	for i := range len(s) {
		c := s[i]
		if isHex(c) {
			digits++
			continue
		}
		if c != '.' && c|0x20 != 'p' && c != '+' && c != '-' {
			return 0, false
		}
		if c|0x20 == 'p' {
			break
		}
	}
	if digits == 0 {
		return 0, false
	}
	s = "0x" + s
	if !strings.ContainsAny(s, "pP") {
		s += "p0"
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !isRange(err) {
		return 0, false
	}
	if neg {
		f = -f
	}
	return f, true
}

// parseBase reads an unsigned integer as C's strtoul does, for tonumber with a base.
func parseBase(s string, base int) (float64, bool) {
	for len(s) > 0 && isSpace(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	neg := false
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		neg, s = s[0] == '-', s[1:]
	}
	if base == 16 && len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' && isHex(s[2]) {
		s = s[2:]
	}
	if len(s) == 0 {
		return 0, false
	}
	n, overflow := uint64(0), false
	for i := range len(s) {
		d := 99
		switch c := s[i]; {
		case isDigit(c):
			d = int(c - '0')
		case isAlpha(c):
			d = int(c|0x20-'a') + 10
		}
		if d >= base {
			return 0, false
		}
		if n > (math.MaxUint64-uint64(d))/uint64(base) {
			overflow = true
		}
		n = n*uint64(base) + uint64(d)
	}
	switch {
	case overflow:
		n = math.MaxUint64
	case neg:
		n = -n
	}
	return float64(n), true
}

// NumberPrefix reads the longest numeral that a string begins with, as C's
// strtod does, and returns its length, 0 for none.
func NumberPrefix(s string) (f float64, n int) {
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	digits := func(is func(byte) bool) (n int) {
		for i < len(s) && is(s[i]) {
			i++
			n++
		}
		return n
	}
	// mantissa reads digits with a point, and then an exponent if it is whole.
	mantissa := func(is func(byte) bool, e byte) bool {
		n := digits(is)
		if i < len(s) && s[i] == '.' {
			i++
			k := digits(is)
			if n += k; n == 0 {
				return false
			}
		}
		if n == 0 {
			return false
		}
		if at := i; i < len(s) && s[i]|0x20 == e {
			i++
			if i < len(s) && (s[i] == '-' || s[i] == '+') {
				i++
			}
			if digits(isDigit) == 0 {
				i = at
			}
		}
		return true
	}
	ok := false
	if i+1 < len(s) && s[i] == '0' && s[i+1]|0x20 == 'x' {
		at := i + 1
		i += 2
		if ok = mantissa(isHex, 'p'); !ok {
			i, ok = at, true // the 0 alone
		}
	} else if i < len(s) && isAlpha(s[i]) {
		for _, w := range [...]string{"infinity", "inf", "nan"} {
			if len(s)-i >= len(w) && strings.EqualFold(s[i:i+len(w)], w) {
				i, ok = i+len(w), true
				break
			}
		}
	} else {
		ok = mantissa(isDigit, 'e')
	}
	if !ok {
		return 0, 0
	}
	f, ok = parseNumber(s[:i])
	if !ok {
		return 0, 0
	}
	return f, i
}
