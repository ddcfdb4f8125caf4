package lua

import "strings"

// matcher matches a pattern of Lua: PUC-Rio's backtracking, except that it
// counts its steps, so that a script in the middle of it can be ended, and that
// it has a limit for its own depth. Where it fails the thread has failed.
type matcher struct {
	l     *Thread
	src   string
	pat   string // up to its first NUL, as C sees it
	level int
	depth int
	caps  [maxCaptures]capture
}

type capture struct{ at, len int }

const (
	maxCaptures   = 32
	maxMatchDepth = 20000

	capOpen     = -1
	capPosition = -2
)

// p is the pattern's character at i, 0 behind its end.
func (m *matcher) p(i int) byte {
	if i < len(m.pat) {
		return m.pat[i]
	}
	return 0
}

func (m *matcher) fail(msg string) int {
	m.l.Errorf("%s", msg)
	return -1
}

func (m *matcher) classEnd(p int) int {
	c := m.p(p)
	p++
	switch c {
	case '%':
		if p >= len(m.pat) {
			return m.fail("malformed pattern (ends with '%')")
		}
		return p + 1
	case '[':
		if m.p(p) == '^' {
			p++
		}
		for first := true; first || m.p(p) != ']'; first = false {
			if p >= len(m.pat) {
				return m.fail("malformed pattern (missing ']')")
			}
			c := m.pat[p]
			p++
			if c == '%' && p < len(m.pat) {
				p++
			}
		}
		return p + 1
	}
	return p
}

func matchClass(c, class byte) bool {
	var res bool
	switch class | 0x20 {
	case 'a':
		res = isAlpha(c)
	case 'c':
		res = c < 32 || c == 127
	case 'd':
		res = isDigit(c)
	case 'l':
		res = 'a' <= c && c <= 'z'
	case 'p':
		res = 32 < c && c < 127 && !isAlnum(c)
	case 's':
		res = isSpace(c)
	case 'u':
		res = 'A' <= c && c <= 'Z'
	case 'w':
		res = isAlnum(c)
	case 'x':
		res = isHex(c)
	case 'z':
		res = c == 0
	default:
		return class == c
	}
	if !isAlpha(class) {
		return class == c
	}
	return res == (class >= 'a')
}

// matchSet matches the set from p ("[") to end, its "]".
func (m *matcher) matchSet(c byte, p, end int) bool {
	sig := true
	if m.p(p+1) == '^' {
		sig = false
		p++
	}
	for p++; p < end; p++ {
		switch {
		case m.pat[p] == '%':
			p++
			if matchClass(c, m.p(p)) {
				return sig
			}
		case m.p(p+1) == '-' && p+2 < end:
			if m.pat[p] <= c && c <= m.pat[p+2] {
				return sig
			}
			p += 2
		case m.pat[p] == c:
			return sig
		}
	}
	return !sig
}

func (m *matcher) single(c byte, p, end int) bool {
	switch m.pat[p] {
	case '.':
		return true
	case '%':
		return matchClass(c, m.pat[p+1])
	case '[':
		return m.matchSet(c, p, end-1)
	}
	return m.pat[p] == c
}

// match matches the pattern from p on at s. It returns where the match ends, -1
// for none.
func (m *matcher) match(s, p int) int {
	if m.depth++; m.depth > maxMatchDepth {
		return m.fail("pattern too complex")
	}
	defer func() { m.depth-- }()
	for {
		if !m.l.Tick(1) {
			return -1
		}
		if p >= len(m.pat) {
			return s
		}
		switch m.pat[p] {
		case '(':
			if m.p(p+1) == ')' {
				return m.open(s, p+2, capPosition)
			}
			return m.open(s, p+1, capOpen)
		case ')':
			return m.close(s, p+1)
		case '$':
			if p+1 == len(m.pat) {
				if s == len(m.src) {
					return s
				}
				return -1
			}
		case '%':
			switch c := m.p(p + 1); {
			case c == 'b':
				if s = m.balance(s, p+2); s < 0 {
					return -1
				}
				p += 4
				continue
			case c == 'f':
				p += 2
				if m.p(p) != '[' {
					return m.fail("missing '[' after '%f' in pattern")
				}
				end := m.classEnd(p)
				if end < 0 {
					return -1
				}
				var before, here byte
				if s > 0 {
					before = m.src[s-1]
				}
				if s < len(m.src) {
					here = m.src[s]
				}
				if m.matchSet(before, p, end-1) || !m.matchSet(here, p, end-1) {
					return -1
				}
				p = end
				continue
			case isDigit(c):
				if s = m.again(s, c); s < 0 {
					return -1
				}
				p += 2
				continue
			}
		}
		end := m.classEnd(p)
		if end < 0 {
			return -1
		}
		ok := s < len(m.src) && m.single(m.src[s], p, end)
		switch m.p(end) {
		case '?':
			if ok {
				if res := m.match(s+1, end+1); res >= 0 || m.l.failed {
					return res
				}
			}
			p = end + 1
		case '*':
			return m.most(s, p, end)
		case '+':
			if !ok {
				return -1
			}
			return m.most(s+1, p, end)
		case '-':
			return m.least(s, p, end)
		default:
			if !ok {
				return -1
			}
			s, p = s+1, end
		}
	}
}

func (m *matcher) balance(s, p int) int {
	if p+1 >= len(m.pat) {
		return m.fail("unbalanced pattern")
	}
	if s >= len(m.src) || m.src[s] != m.pat[p] {
		return -1
	}
	b, e, n := m.pat[p], m.pat[p+1], 1
	for i := s + 1; i < len(m.src); i++ {
		switch c := m.src[i]; {
		case c == e:
			if n--; n == 0 {
				m.l.s.work(i - s)
				return i + 1
			}
		case c == b:
			n++
		}
	}
	m.l.s.work(len(m.src) - s)
	return -1
}

func (m *matcher) most(s, p, end int) int {
	n := 0
	for s+n < len(m.src) && m.single(m.src[s+n], p, end) {
		n++
	}
	m.l.s.work(n)
	for ; n >= 0; n-- {
		if res := m.match(s+n, end+1); res >= 0 || m.l.failed {
			return res
		}
	}
	return -1
}

func (m *matcher) least(s, p, end int) int {
	for {
		if res := m.match(s, end+1); res >= 0 || m.l.failed {
			return res
		}
		if s >= len(m.src) || !m.single(m.src[s], p, end) {
			return -1
		}
		s++
	}
}

func (m *matcher) open(s, p, what int) int {
	if m.level >= maxCaptures {
		return m.fail("too many captures")
	}
	m.caps[m.level] = capture{s, what}
	m.level++
	res := m.match(s, p)
	if res < 0 {
		m.level--
	}
	return res
}

func (m *matcher) close(s, p int) int {
	i := m.level - 1
	for ; i >= 0 && m.caps[i].len != capOpen; i-- {
	}
	if i < 0 {
		return m.fail("invalid pattern capture")
	}
	m.caps[i].len = s - m.caps[i].at
	res := m.match(s, p)
	if res < 0 {
		m.caps[i].len = capOpen
	}
	return res
}

// again matches what a capture has matched.
func (m *matcher) again(s int, digit byte) int {
	i := int(digit) - '1'
	if i < 0 || i >= m.level || m.caps[i].len == capOpen {
		return m.fail("invalid capture index")
	}
	c := m.caps[i]
	if c.len < 0 { // a position, whose length in C is more than any string has left
		return -1
	}
	if strings.HasPrefix(m.src[s:], m.src[c.at:c.at+c.len]) {
		return s + c.len
	}
	return -1
}

// capture is the i-th capture of a match from s to e: the whole of it where the
// pattern has none.
func (m *matcher) capture(i, s, e int) Value {
	if i >= m.level {
		if i != 0 {
			m.fail("invalid capture index")
			return Nil
		}
		return m.l.Copy(m.src[s:e])
	}
	switch c := m.caps[i]; c.len {
	case capOpen:
		m.fail("unfinished capture")
		return Nil
	case capPosition:
		return Number(float64(c.at + 1))
	default:
		return m.l.Copy(m.src[c.at : c.at+c.len])
	}
}

// pushCaptures pushes all captures, where the garbage collector and the count
// of memory see them; whole says what stands for none.
func (m *matcher) pushCaptures(s, e int, whole bool) (n int) {
	n = m.level
	if n == 0 && whole {
		n = 1
	}
	for i := range n {
		if !m.l.Take(e - s) {
			return 0
		}
		m.l.Push(m.capture(i, s, e))
	}
	return n
}
