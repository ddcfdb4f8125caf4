// Package decimal reads integers in the one form in which Redis prints them.
package decimal

import "math"

// ParseInt reads a decimal integer as strictly as Redis does: no sign but '-',
// no spaces, no leading zeros, no "-0", nothing behind the digits. It reports
// false for anything else and for what does not fit.
func ParseInt(b []byte) (int64, bool) {
	if len(b) == 1 && b[0] == '0' {
		return 0, true
	}
	neg := len(b) > 0 && b[0] == '-'
	if neg {
		b = b[1:]
	}
	n, ok := parseDigits(b)
	switch {
	case !ok:
		return 0, false
	case neg && n <= -math.MinInt64:
		return -int64(n), true // wraps to MinInt64 for 1<<63, as it should
	case neg || n > math.MaxInt64:
		return 0, false
	}
	return int64(n), true
}

// ParseUint reads a decimal integer as ParseInt does, without a sign.
func ParseUint(b []byte) (uint64, bool) {
	if len(b) == 1 && b[0] == '0' {
		return 0, true
	}
	return parseDigits(b)
}

// parseDigits reads a positive number without leading zeros.
func parseDigits(b []byte) (uint64, bool) {
	if len(b) == 0 || len(b) > 20 || b[0] < '1' || b[0] > '9' {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		d := uint64(c - '0')
		if c < '0' || c > '9' || n > (math.MaxUint64-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}
