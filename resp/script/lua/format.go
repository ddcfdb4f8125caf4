package lua

import (
	"math"
	"strconv"
	"strings"
)

// spec is one conversion of string.format, as C's printf has them.
type spec struct {
	minus, plus, space, alt, zero bool
	width, prec                   int // prec is -1 where there is none
	verb                          byte
}

func strFormat(l *Thread) {
	f := l.CheckString(1)
	if l.failed {
		return
	}
	var out []byte
	arg := 1
	for i := 0; i < len(f); {
		c := f[i]
		i++
		if c != '%' {
			out = append(out, c)
			continue
		}
		if i < len(f) && f[i] == '%' {
			out = append(out, '%')
			i++
			continue
		}
		if arg++; arg > l.NArg() {
			l.ArgError(arg, "no value")
			return
		}
		var sp spec
		n := sp.parse(l, f[i:])
		if l.failed {
			return
		}
		i += n
		out = sp.append(l, out, arg)
		if l.failed || len(out) > quotaStep && !l.Take(len(out)) {
			return
		}
	}
	l.Push(l.bytes(out))
}

// parse reads a conversion and returns its length, the verb included.
func (sp *spec) parse(l *Thread, f string) int {
	i := 0
	for ; i < len(f) && strings.IndexByte("-+ #0", f[i]) >= 0; i++ {
		switch f[i] {
		case '-':
			sp.minus = true
		case '+':
			sp.plus = true
		case ' ':
			sp.space = true
		case '#':
			sp.alt = true
		case '0':
			sp.zero = true
		}
	}
	if i >= 6 {
		l.Errorf("invalid format (repeated flags)")
		return 0
	}
	number := func() int {
		n := 0
		for k := 0; k < 2 && i < len(f) && isDigit(f[i]); k++ {
			n = n*10 + int(f[i]-'0')
			i++
		}
		return n
	}
	sp.width, sp.prec = number(), -1
	if i < len(f) && f[i] == '.' {
		i++
		sp.prec = number()
	}
	if i < len(f) && isDigit(f[i]) {
		l.Errorf("invalid format (width or precision too long)")
		return 0
	}
	if i < len(f) {
		sp.verb = f[i]
	}
	return i + 1
}

func (sp *spec) append(l *Thread, out []byte, arg int) []byte {
	switch sp.verb {
	case 'c':
		b := sp.pad(nil, []byte{byte(toInt32(l.CheckNumber(arg)))}, false)
		return append(out, cString(string(b))...)
	case 'd', 'i':
		n := toInteger(l.CheckNumber(arg))
		u := uint64(n)
		if n < 0 {
			u = -u
		}
		return sp.integer(out, strconv.FormatUint(u, 10), n < 0, true)
	case 'o', 'u', 'x', 'X':
		base := map[byte]int{'o': 8, 'u': 10, 'x': 16, 'X': 16}[sp.verb]
		s := strconv.FormatUint(toUnsigned(l.CheckNumber(arg)), base)
		if sp.verb == 'X' {
			s = strings.ToUpper(s)
		}
		return sp.integer(out, s, false, false)
	case 'e', 'E', 'f', 'g', 'G':
		return sp.float(out, l.CheckNumber(arg))
	case 'q':
		return quote(out, l.CheckString(arg))
	case 's':
		s := l.CheckString(arg)
		if sp.prec < 0 && len(s) >= 100 {
			if !l.Take(len(out) + len(s)) {
				return out
			}
			return append(out, s...)
		}
		if s = cString(s); sp.prec >= 0 && sp.prec < len(s) {
			s = s[:sp.prec]
		}
		return sp.pad(out, []byte(s), false)
	}
	l.Errorf("invalid option '%%%s' to 'format'", cString(string([]byte{sp.verb})))
	return out
}

// toUnsigned converts as C on amd64 does.
func toUnsigned(f float64) uint64 {
	if f >= 1<<63 {
		return uint64(toInteger(f-1<<63)) ^ 1<<63
	}
	return uint64(toInteger(f))
}

// pad fills up to the width; zeros go behind the sign.
func (sp *spec) pad(out, s []byte, zeros bool) []byte {
	n := sp.width - len(s)
	switch {
	case n <= 0:
		return append(out, s...)
	case sp.minus:
		out = append(out, s...)
		return append(out, strings.Repeat(" ", n)...)
	case zeros:
		sign := 0
		if len(s) > 0 && (s[0] == '-' || s[0] == '+' || s[0] == ' ') {
			sign = 1
		}
		if len(s) > sign+1 && s[sign] == '0' && s[sign+1]|0x20 == 'x' {
			sign += 2
		}
		out = append(out, s[:sign]...)
		out = append(out, strings.Repeat("0", n)...)
		return append(out, s[sign:]...)
	}
	out = append(out, strings.Repeat(" ", n)...)
	return append(out, s...)
}

func (sp *spec) sign(b []byte, negative bool) []byte {
	switch {
	case negative:
		return append(b, '-')
	case sp.plus:
		return append(b, '+')
	case sp.space:
		return append(b, ' ')
	}
	return b
}

func (sp *spec) integer(out []byte, digits string, negative, signed bool) []byte {
	zero := digits == "0"
	if zero && sp.prec == 0 {
		digits = ""
	}
	if n := sp.prec - len(digits); n > 0 {
		digits = strings.Repeat("0", n) + digits
	}
	var b []byte
	if signed {
		b = sp.sign(b, negative)
	}
	if sp.alt {
		switch sp.verb {
		case 'o':
			if !strings.HasPrefix(digits, "0") {
				digits = "0" + digits
			}
		case 'x', 'X':
			if !zero {
				b = append(b, '0', sp.verb)
			}
		}
	}
	b = append(b, digits...)
	return sp.pad(out, b, sp.zero && sp.prec < 0)
}

func (sp *spec) float(out []byte, f float64) []byte {
	b := sp.sign(nil, math.Signbit(f))
	upper := sp.verb == 'E' || sp.verb == 'G'
	if math.IsInf(f, 0) || f != f {
		s := "inf"
		if f != f {
			s = "nan"
		}
		if upper {
			s = strings.ToUpper(s)
		}
		return sp.pad(out, append(b, s...), false)
	}
	prec := sp.prec
	if prec < 0 {
		prec = 6
	}
	verb := sp.verb | 0x20
	f = math.Abs(f)
	if verb == 'g' {
		b = append(b, formatG(f, prec, sp.alt)...)
	} else {
		b = strconv.AppendFloat(b, f, verb, prec, 64)
		if sp.alt && prec == 0 {
			s := string(b)
			if i := strings.IndexByte(s, 'e'); i >= 0 {
				b = []byte(s[:i] + "." + s[i:])
			} else {
				b = append(b, '.')
			}
		}
	}
	if upper {
		b = []byte(strings.ToUpper(string(b)))
	}
	return sp.pad(out, b, sp.zero)
}

// formatG is C's %g: of prec significant digits, trailing zeros go unless alt.
func formatG(f float64, prec int, alt bool) string {
	prec = max(prec, 1)
	e := strconv.FormatFloat(f, 'e', prec-1, 64)
	i := strings.IndexByte(e, 'e')
	x, _ := strconv.Atoi(e[i+1:])
	mant, exp := e[:i], e[i:]
	if x >= -4 && x < prec {
		mant, exp = strconv.FormatFloat(f, 'f', prec-1-x, 64), ""
	}
	if alt {
		if !strings.Contains(mant, ".") {
			mant += "."
		}
	} else if strings.Contains(mant, ".") {
		mant = strings.TrimRight(strings.TrimRight(mant, "0"), ".")
	}
	return mant + exp
}

func quote(out []byte, s string) []byte {
	out = append(out, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\', '\n':
			out = append(out, '\\', c)
		case '\r':
			out = append(out, `\r`...)
		case 0:
			out = append(out, `\000`...)
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}
