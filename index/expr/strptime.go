package expr

import "strings"

// scanner is C's strptime under way.
type scanner struct {
	s string
	t moment // days is not used

	century          int64 // of %C; -1 for none
	inCentury        bool  // %y was given
	pm, half         bool  // of %p and %I
	hasMonth, hasDay bool
	hasYearDay       bool
	yearDay          int64
	hasEpoch         bool
	epoch            int64
}

// scanTime reads a time as strptime does in the C locale, and makes a Unix time of
// it as timegm does: a day that was not given is the 0th, so the last of the month
// before.
func scanTime(s, f string) (int64, bool) {
	sc := scanner{s: s, t: moment{year: 1900, month: 1}, century: -1}
	if !sc.scan(f, 0) {
		return 0, false
	}
	t := &sc.t
	if sc.hasEpoch {
		return sc.epoch, true
	}
	if sc.half {
		t.hour %= 12
		if sc.pm {
			t.hour += 12
		}
	}
	if sc.century >= 0 {
		if sc.inCentury {
			t.year = (t.year%100+100)%100 + 100*sc.century
		} else {
			t.year = 100 * sc.century
		}
	}
	if sc.hasYearDay && !(sc.hasMonth && sc.hasDay) {
		_, m, d := civil(daysOf(t.year, 1, 1) + sc.yearDay)
		if !sc.hasMonth {
			t.month = m
		}
		if !sc.hasDay {
			t.day = d
		}
	}
	t.days = daysOf(t.year, t.month, t.day)
	return t.unix(), true
}

func (sc *scanner) scan(f string, depth int) bool {
	t := &sc.t
	for i := 0; i < len(f); i++ {
		if isSpace(f[i]) {
			sc.spaces()
			continue
		}
		if f[i] != '%' || i+1 == len(f) {
			if sc.s == "" || sc.s[0] != f[i] {
				return false
			}
			sc.s = sc.s[1:]
			continue
		}
		i++
		for i+1 < len(f) && strings.IndexByte("-_0^#", f[i]) >= 0 {
			i++
		}
		if i+1 < len(f) && (f[i] == 'E' || f[i] == 'O') {
			i++
		}
		var x int64
		ok := true
		switch f[i] {
		case '%':
			ok = strings.HasPrefix(sc.s, "%")
			if ok {
				sc.s = sc.s[1:]
			}
		case 'a', 'A':
			_, ok = sc.name(dayNames[:])
		case 'b', 'B', 'h':
			x, ok = sc.name(monthNames[:])
			t.month, sc.hasMonth = x+1, true
		case 'C':
			sc.century, ok = sc.number(0, 99, 2)
		case 'd', 'e':
			t.day, ok = sc.number(1, 31, 2)
			sc.hasDay = true
		case 'H', 'k':
			t.hour, ok = sc.number(0, 23, 2)
			sc.half = false
		case 'I', 'l':
			x, ok = sc.number(1, 12, 2)
			t.hour, sc.half = x%12, true
		case 'j':
			x, ok = sc.number(1, 366, 3)
			sc.yearDay, sc.hasYearDay = x-1, true
		case 'm':
			t.month, ok = sc.number(1, 12, 2)
			sc.hasMonth = true
		case 'M':
			t.minute, ok = sc.number(0, 59, 2)
		case 'n', 't':
			sc.spaces()
		case 'p', 'P':
			x, ok = sc.name([]string{"AM", "PM"})
			sc.pm = x == 1
		case 's':
			sc.epoch, ok = sc.seconds()
			sc.hasEpoch = true
		case 'S':
			t.second, ok = sc.number(0, 61, 2)
		case 'u': // weeks and their days are read, and decide nothing
			_, ok = sc.number(1, 7, 1)
		case 'w':
			_, ok = sc.number(0, 6, 1)
		case 'U', 'V', 'W':
			_, ok = sc.number(0, 53, 2)
		case 'g':
			_, ok = sc.number(0, 99, 2)
		case 'G':
			_, ok = sc.number(0, 9999, 4)
		case 'y':
			x, ok = sc.number(0, 99, 2)
			if x < 69 {
				x += 100
			}
			t.year, sc.inCentury = x+1900, true
		case 'Y':
			t.year, ok = sc.number(0, 9999, 4)
			sc.century, sc.inCentury = -1, false
		case 'Z':
			sc.spaces()
			for sc.s != "" && !isSpace(sc.s[0]) {
				sc.s = sc.s[1:]
			}
		case 'z':
			ok = sc.zone()
		default:
			whole, known := composed[f[i]]
			ok = known && depth == 0 && sc.scan(whole, depth+1)
		}
		if !ok {
			return false
		}
	}
	return true
}

func (sc *scanner) spaces() {
	for sc.s != "" && isSpace(sc.s[0]) {
		sc.s = sc.s[1:]
	}
}

// number reads a number of at most so many digits.
func (sc *scanner) number(least, most int64, digits int) (x int64, ok bool) {
	for sc.s != "" && sc.s[0] == ' ' {
		sc.s = sc.s[1:]
	}
	n := 0
	for n < digits && n < len(sc.s) && isDigit(sc.s[n]) {
		x = 10*x + int64(sc.s[n]-'0')
		n++
	}
	sc.s = sc.s[n:]
	return x, n > 0 && x >= least && x <= most
}

// seconds reads a Unix time.
func (sc *scanner) seconds() (x int64, ok bool) {
	n := 0
	for n < len(sc.s) && isDigit(sc.s[n]) {
		if x > 1<<56 {
			return 0, false
		}
		x = 10*x + int64(sc.s[n]-'0')
		n++
	}
	sc.s = sc.s[n:]
	return x, n > 0
}

// name reads one of the names in any case, in full or its first three letters.
func (sc *scanner) name(names []string) (int64, bool) {
	for _, short := range []bool{false, true} {
		for i, name := range names {
			if short {
				name = name[:min(3, len(name))]
			}
			if len(sc.s) >= len(name) && strings.EqualFold(sc.s[:len(name)], name) {
				sc.s = sc.s[len(name):]
				return int64(i), true
			}
		}
	}
	return 0, false
}

// zone reads Z, +hh, +hhmm or +hh:mm, which change nothing: timegm does not look at them.
func (sc *scanner) zone() bool {
	sc.spaces()
	if strings.HasPrefix(sc.s, "Z") {
		sc.s = sc.s[1:]
		return true
	}
	if sc.s == "" || sc.s[0] != '+' && sc.s[0] != '-' {
		return false
	}
	sc.s = sc.s[1:]
	n := 0
	for n < 4 && sc.s != "" {
		switch {
		case isDigit(sc.s[0]):
			n++
		case n == 2 && sc.s[0] == ':':
		default:
			return n == 2
		}
		sc.s = sc.s[1:]
	}
	return n == 2 || n == 4
}
