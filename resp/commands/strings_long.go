package commands

import (
	"bytes"
	"math/big"
	"strings"

	"github.com/nearcache/nearcache/resp"
)

// Redis adds floating-point numbers as long double of x86: a mantissa of 64
// bits, printed with 17 decimals and without the zeros behind. What it stored
// there, a client may find here, so the digits must be the same.
const (
	longBits    = 64
	longMaxExp  = 16384  // of the largest number, as big.Float counts
	longMinExp  = -16444 // of the smallest denormal number
	longMaxText = 5 * 1024
)

// addLong adds two numbers given as text. It returns bad where one of them is
// no number, and ErrNaNOrInf where the sum is not finite.
func addLong(a, b []byte, bad error) ([]byte, error) {
	x, ok := parseLong(a)
	if !ok {
		return nil, bad
	}
	y, ok := parseLong(b)
	if !ok {
		return nil, resp.ErrNotFloat
	}
	if x.IsInf() || y.IsInf() {
		return nil, resp.ErrNaNOrInf
	}
	x.Add(x, y)
	if x.MantExp(nil) > longMaxExp {
		return nil, resp.ErrNaNOrInf
	}
	return appendLong(nil, x), nil
}

func appendLong(b []byte, x *big.Float) []byte {
	b = x.Append(b, 'f', 17)
	b = bytes.TrimRight(b, "0")
	b = bytes.TrimSuffix(b, []byte("."))
	if string(b) == "-0" {
		return b[1:]
	}
	return b
}

// parseLong reads a number as strtold does, spaces refused.
func parseLong(b []byte) (*big.Float, bool) {
	if len(b) == 0 || len(b) >= longMaxText {
		return nil, false
	}
	s := strings.ToLower(string(b))
	sign, digits := "", s
	if s[0] == '+' || s[0] == '-' {
		sign, digits = s[:1], s[1:]
	}
	x := new(big.Float).SetPrec(longBits)
	if digits == "inf" || digits == "infinity" {
		return x.SetInf(sign == "-"), true
	}
	hex := strings.HasPrefix(digits, "0x")
	mant, exp := digits, ""
	mark := "e"
	if hex {
		mant, mark = digits[2:], "p"
	}
	if i := strings.Index(mant, mark); i >= 0 {
		mant, exp = mant[:i], mant[i+1:]
		if !isExponent(exp) {
			return nil, false
		}
	}
	if !isMantissa(mant, hex) {
		return nil, false
	}
	if strings.Trim(mant, "0.") == "" {
		return x, true
	}
	e, tooBig := exponent(exp)
	if tooBig {
		return nil, false // out of the range of long double
	}
	base := 10
	if hex {
		base = 16
	}
	x, _, err := big.ParseFloat(sign+mant+mark+e, base, longBits, big.ToNearestEven)
	if err != nil || x.MantExp(nil) > longMaxExp || x.MantExp(nil) < longMinExp {
		return nil, false
	}
	return x, true
}

func isExponent(s string) bool {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func isMantissa(s string, hex bool) bool {
	digits := "0123456789"
	if hex {
		digits += "abcdef"
	}
	if strings.Count(s, ".") > 1 {
		return false
	}
	s = strings.Replace(s, ".", "", 1)
	return s != "" && strings.Trim(s, digits) == ""
}

// exponent normalises the digits of an exponent. One beyond all that a long
// text and a long double can hold is too big; to read it would take forever.
func exponent(s string) (text string, tooBig bool) {
	if s == "" {
		return "0", false
	}
	neg := s[0] == '-'
	s = strings.TrimLeft(strings.TrimLeft(s, "+-"), "0")
	if s == "" {
		return "0", false
	}
	if len(s) > 5 {
		return "", true
	}
	if neg {
		s = "-" + s
	}
	return s, false
}
