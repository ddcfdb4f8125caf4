package judge

import "strings"

// stem cuts the endings of plurals and of verbs. It is cruder than Porter's
// algorithm on purpose: "refunds" and "refund" shall meet, "organisation" and
// "organ" shall not.
func stem(w string) string {
	switch {
	case len(w) > 4 && strings.HasSuffix(w, "ies"):
		w = w[:len(w)-3] + "y"
	case len(w) > 4 && strings.HasSuffix(w, "ing") && hasVowel(w[:len(w)-3]):
		w = undouble(w[:len(w)-3])
	case len(w) > 4 && strings.HasSuffix(w, "ed") && hasVowel(w[:len(w)-2]):
		w = undouble(w[:len(w)-2])
	case len(w) > 3 && strings.HasSuffix(w, "es") && strings.IndexByte("sxzh", w[len(w)-3]) >= 0:
		w = w[:len(w)-2]
	case len(w) > 3 && w[len(w)-1] == 's' && w[len(w)-2] != 's' && w[len(w)-2] != 'u':
		w = w[:len(w)-1]
	}
	if len(w) > 3 && w[len(w)-1] == 'e' {
		w = w[:len(w)-1]
	}
	return w
}

func hasVowel(w string) bool { return strings.ContainsAny(w, "aeiouy") }

// undouble takes back the letter that -ing and -ed double: stopp, plann.
func undouble(w string) string {
	if n := len(w); n > 2 && w[n-1] == w[n-2] && strings.IndexByte("lsz", w[n-1]) < 0 {
		return w[:n-1]
	}
	return w
}

func hasDigit(w string) bool {
	for i := range len(w) {
		if '0' <= w[i] && w[i] <= '9' {
			return true
		}
	}
	return false
}

// typo is whether a and b differ by one slip: a letter left out, doubled, wrong, or two exchanged.
// Short words are told apart by one letter and numbers by one digit, so they have to be equal.
func typo(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(a) < 4 || len(b)-len(a) > 1 || a[0] != b[0] || hasDigit(a) || hasDigit(b) {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	if i == len(a) || a[i+1:] == b[i+1:] {
		return true
	}
	return i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}

// alike is whether two stems stand for the same.
func alike(a, b string) bool {
	if a == b {
		return true
	}
	if g := synonyms[a]; g != nil {
		for _, x := range synonyms[b] {
			for _, y := range g {
				if x == y {
					return true
				}
			}
		}
	}
	return typo(a, b)
}

// opposed is whether two words exclude each other.
func opposed(a, b string) bool {
	g := opposites[a]
	if g == nil || a == b {
		return false
	}
	for _, x := range opposites[b] {
		for _, y := range g {
			if x == y {
				return true
			}
		}
	}
	return false
}
