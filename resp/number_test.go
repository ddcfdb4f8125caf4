package resp

import (
	"strconv"
	"testing"
)

// checkNumber holds ParseInt and ParseUint to this: a text is a number if and
// only if it is how that number is printed.
func checkNumber(t *testing.T, s string) {
	n, err := strconv.ParseInt(s, 10, 64)
	if got, ok := ParseInt([]byte(s)); ok != (err == nil && strconv.FormatInt(n, 10) == s) || ok && got != n {
		t.Errorf("ParseInt(%q) = %d, %v", s, got, ok)
	}
	u, err := strconv.ParseUint(s, 10, 64)
	if got, ok := ParseUint([]byte(s)); ok != (err == nil && strconv.FormatUint(u, 10) == s) || ok && got != u {
		t.Errorf("ParseUint(%q) = %d, %v", s, got, ok)
	}
}

func TestANumberIsWhatPrintsTheSame(t *testing.T) {
	for _, s := range []string{
		"0", "1", "-1", "10", "-0", "00", "01", "+1", " 1", "1 ", "", "-", "--1", "1-",
		"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
		"18446744073709551615", "18446744073709551616", "18446744073709551625", "28446744073709551615",
		"99999999999999999999", "999999999999999999999", "1e3", "0x10", "1.0", "1_0", "\x001", "1\x00", "٣",
	} {
		checkNumber(t, s)
	}
}
