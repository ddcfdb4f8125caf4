package glob

import (
	"strings"
	"testing"
	"time"
)

// matchSlow is the same by recursion, with a table of what is known not to
// match: it says what a pattern means.
func matchSlow(p, s string, fold bool) bool {
	failed := map[[2]int]bool{}
	var rec func(i, j int) bool
	rec = func(i, j int) bool {
		if i == len(p) {
			return j == len(s)
		}
		at := [2]int{i, j}
		if failed[at] {
			return false
		}
		ok := false
		if p[i] == '*' {
			ok = rec(i+1, j) || j < len(s) && rec(i, j+1)
		} else if j < len(s) {
			n, yes := one(p[i:], s[j], fold)
			ok = yes && rec(i+n, j+1)
		}
		failed[at] = !ok
		return ok
	}
	return rec(0, 0)
}

// The last column is what stringmatchlen of Redis 8.10.2 answers, but for stars
// alone and the empty text.
func TestPatternsMeanWhatTheyMeanInRedis(t *testing.T) {
	f := func(pattern, text string, want bool) {
		t.Helper()
		if got := MatchString(pattern, text); got != want {
			t.Errorf("%q, %q: %v", pattern, text, got)
		}
		if got := Match([]byte(pattern), []byte(text)); got != want {
			t.Errorf("%q, %q as bytes: %v", pattern, text, got)
		}
	}
	f("", "", true)
	f("", "a", false)
	f("a", "", false)
	f("*", "", true)
	f("**", "", true)
	f("*", "anything", true)
	f("abc", "abc", true)
	f("abc", "abcd", false)
	f("abc", "ab", false)
	f("abc", "ABC", false)
	f("user:*", "user:1000", true)
	f("user:*", "user:", true)
	f("user:*", "users:1", false)
	f("*:1", "user:1", true)
	f("*:1", "user:1:1", true)
	f("*a*b*", "xxaxxbxx", true)
	f("*a*b*", "xxbxxaxx", false)
	f("a***b", "ab", true)
	f("h?llo", "hello", true)
	f("h?llo", "hllo", false)
	f("h[ae]llo", "hallo", true)
	f("h[ae]llo", "hillo", false)
	f("h[^e]llo", "hallo", true)
	f("h[^e]llo", "hello", false)
	f("h[a-c]llo", "hbllo", true)
	f("h[c-a]llo", "hbllo", true)
	f("h[a-c]llo", "hdllo", false)
	f("[\\]]", "]", true)
	f("[\\a-c]", "a", true)
	f("[\\a-c]", "b", false)
	f("[a-]", "-", false) // the range from ] to a, in a class that stays open
	f("[a-]", "_", true)
	f("[]", "a", false)
	f("[]a", "a", false)
	f("[^]", "a", true)
	f("[a-]]", "]", true) // the range from a down to ]
	f("[abc", "b", true)
	f("[abc", "d", false)
	f("[", "[", false)
	f("[^", "x", true)
	f("[a\\", "\\", true)
	f("\\", "\\", true)
	f("\\*", "*", true)
	f("\\*", "a", false)
	f("a\\?", "a?", true)
	f("*\\?", "ab?", true)
	f("*\\", "a\\", true)
	f("*[b]", "aab", true)
	f("\x00*", "\x00\xff", true)
	f("[\x80-\xff]", "\xa0", true)
}

func TestFoldingTouchesLettersOnly(t *testing.T) {
	f := func(pattern, text string, want bool) {
		t.Helper()
		if got := MatchFold(pattern, text); got != want {
			t.Errorf("%q, %q: %v", pattern, text, got)
		}
	}
	f("maxmemory*", "MaxMemory-Policy", true)
	f("*POLICY", "maxmemory-policy", true)
	f("[A-C]x", "bX", true)
	f("[abc]", "B", true)
	f("[\\b]", "B", false) // as in Redis: an escape in a class keeps its case
	f("\\B", "b", true)
	f("@", "`", false)
	f("[", "{", false)
	f("ä", "Ä", false)
}

// Patterns that take forever elsewhere (CVE-2022-36021, CVE-2024-31228).
func TestNoPatternStalls(t *testing.T) {
	const n = 300_000
	long := strings.Repeat("a", n)
	for name, c := range map[string]struct{ pattern, text string }{
		"stars":            {strings.Repeat("a*", n/2) + "b", long},
		"twenty stars":     {strings.Repeat("*a", 20) + "b", long},
		"long behind star": {"*" + strings.Repeat("a", n/2) + "b", long},
		"any behind star":  {"*" + strings.Repeat("?", n/2) + "b", long},
		"long class":       {"*[" + long + "]b", strings.Repeat("b", n)},
		"long class twice": {strings.Repeat("*["+long+"b]", 2) + "c", strings.Repeat("b", n)},
		"open classes":     {strings.Repeat("[", n), long},
		"backslashes":      {"*" + strings.Repeat("\\a", n/4) + "b", long},
	} {
		start := time.Now()
		if MatchString(c.pattern, c.text) {
			t.Errorf("%s: matches", name)
		}
		// A fraction of a second on a quiet machine, minutes where steps are not counted. Machines stand still for seconds.
		if d := time.Since(start); d > 30*time.Second {
			t.Errorf("%s: %v", name, d)
		}
	}
	// What is long but harmless is still answered.
	if !MatchString("*a*b*needle*", long+"b"+long+"needle"+long) {
		t.Error("a long text is given up on")
	}
	if !MatchString(strings.Repeat("a*", 2000), long) {
		t.Error("many stars are given up on")
	}
}

func TestMatchingAllocatesNothing(t *testing.T) {
	pattern, text := []byte("*:[a-f]*:x"), []byte("user:e100:x")
	if n := testing.AllocsPerRun(100, func() { Match(pattern, text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("*a*a*a*b", "aaaaaaaaaaaaa", false) // G01
	f.Add(strings.Repeat("a*", 30)+"b", strings.Repeat("a", 30), false)
	f.Add("[", "[", false)    // G03
	f.Add("[^", "a", true)    // G03
	f.Add("[a-", "b", false)  // G03
	f.Add("\\", "\\", false)  // G04
	f.Add("[\\", "\\", false) // G04
	f.Add("h[^a-c\\]]?*o", "H]llo", true)
	f.Add("**", "", false)
	f.Add("*[z-\xff]", "ab\x80", true)
	f.Fuzz(func(t *testing.T, pattern, text string, fold bool) {
		if len(pattern)*len(text) > 1<<14 {
			return
		}
		if got, want := match(pattern, text, fold), matchSlow(pattern, text, fold); got != want {
			t.Errorf("%q, %q, fold %v: %v, want %v", pattern, text, fold, got, want)
		}
		if !fold && !strings.ContainsAny(pattern, "*?[\\") && MatchString(pattern, text) != (pattern == text) {
			t.Errorf("%q, %q: a pattern without a special byte is itself", pattern, text)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	text := "user:session:0000123456:profile"
	for _, pattern := range []string{"user:*", "*:profile", "*sess*:pro*", "user:[a-z]*:????123456:*", "other:*"} {
		b.Run(pattern, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				MatchString(pattern, text)
			}
		})
	}
}
