package expr

import "strconv"

var (
	dayNames   = [...]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	monthNames = [...]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
)

// maxTime is how long a formatted time may be, as there.
const maxTime = 1023

// composed are the conversions that stand for others.
var composed = map[byte]string{
	'c': "%a %b %e %H:%M:%S %Y", 'D': "%m/%d/%y", 'F': "%Y-%m-%d", 'r': "%I:%M:%S %p",
	'R': "%H:%M", 'T': "%H:%M:%S", 'x': "%m/%d/%y", 'X': "%H:%M:%S",
}

// format appends the time as C's strftime does in the C locale, with glibc's
// flags and widths. False means that it is too long.
func (t *moment) format(b []byte, f string, depth int) ([]byte, bool) {
	for i := 0; i < len(f) && len(b) <= maxTime; i++ {
		if f[i] != '%' {
			b = append(b, f[i])
			continue
		}
		start := i
		pad, upper, swap, width := byte(0), false, false, 0
	flags:
		for i++; i < len(f); i++ {
			switch f[i] {
			case '_', '-', '0', '+':
				pad = f[i]
			case '^':
				upper = true
			case '#':
				swap = true
			default:
				break flags
			}
		}
		for ; i < len(f) && isDigit(f[i]); i++ {
			width = min(10*width+int(f[i]-'0'), maxTime+1)
		}
		if i < len(f) && (f[i] == 'E' || f[i] == 'O') { // alternatives of a locale
			i++
		}
		if i == len(f) {
			b = append(b, f[start:]...)
			break
		}
		number := func(x int64, digits int, fill byte) {
			if pad != 0 && pad != '+' {
				fill = pad
			}
			if width > digits || pad == '-' {
				digits = width
			}
			b = appendPadded(b, x, digits, fill)
		}
		text := func(s string) {
			if (upper || swap) && f[i] != 'P' {
				b = appendUpper(b, s, swap && (f[i] == 'p' || f[i] == 'Z'), width, pad)
				return
			}
			b = appendWidth(b, s, width, pad)
		}
		twelve := (t.hour+11)%12 + 1
		switch f[i] {
		case 'a':
			text(dayNames[t.weekday()][:3])
		case 'A':
			text(dayNames[t.weekday()])
		case 'b', 'h':
			text(monthNames[t.month-1][:3])
		case 'B':
			text(monthNames[t.month-1])
		case 'C':
			number(floorDiv(t.year, 100), 2, '0')
		case 'd':
			number(t.day, 2, '0')
		case 'e':
			number(t.day, 2, '_')
		case 'g':
			y, _ := t.isoWeek()
			number((y%100+100)%100, 2, '0')
		case 'G':
			y, _ := t.isoWeek()
			number(y, 1, '0')
		case 'H':
			number(t.hour, 2, '0')
		case 'I':
			number(twelve, 2, '0')
		case 'j':
			number(t.yearDay()+1, 3, '0')
		case 'k':
			number(t.hour, 2, '_')
		case 'l':
			number(twelve, 2, '_')
		case 'm':
			number(t.month, 2, '0')
		case 'M':
			number(t.minute, 2, '0')
		case 'n':
			b = append(b, '\n')
		case 'p':
			text([...]string{"AM", "PM"}[t.hour/12])
		case 'P':
			text([...]string{"am", "pm"}[t.hour/12])
		case 's':
			number(t.unix(), 1, '0')
		case 'S':
			number(t.second, 2, '0')
		case 't':
			b = append(b, '\t')
		case 'u':
			number((t.weekday()+6)%7+1, 1, '0')
		case 'U':
			number((t.yearDay()+7-t.weekday())/7, 2, '0')
		case 'V':
			_, w := t.isoWeek()
			number(w, 2, '0')
		case 'w':
			number(t.weekday(), 1, '0')
		case 'W':
			number((t.yearDay()+7-(t.weekday()+6)%7)/7, 2, '0')
		case 'y':
			number((t.year%100+100)%100, 2, '0')
		case 'Y':
			number(t.year, 1, '0')
		case 'z':
			text("+0000")
		case 'Z':
			text("GMT")
		case '%':
			text("%")
		default:
			whole, ok := composed[f[i]]
			if !ok || depth > 0 {
				b = append(b, f[start:i+1]...)
				break
			}
			inner, ok := t.format(nil, whole, depth+1)
			if !ok {
				return b, false
			}
			text(string(inner))
		}
	}
	return b, len(b) <= maxTime
}

// appendPadded writes a number in at least so many digits: with zeros if fill is
// '0', otherwise with spaces.
func appendPadded(b []byte, x int64, digits int, fill byte) []byte {
	var room [24]byte
	n := x
	if x < 0 {
		n = -x
	}
	s := strconv.AppendInt(room[:0], n, 10)
	missing := digits - len(s)
	if x < 0 {
		missing--
	}
	if fill != '0' {
		b = appendTimes(b, ' ', missing)
	}
	if x < 0 {
		b = append(b, '-')
	}
	if fill == '0' {
		b = appendTimes(b, '0', missing)
	}
	return append(b, s...)
}

func appendTimes(b []byte, c byte, n int) []byte {
	for ; n > 0; n-- {
		b = append(b, c)
	}
	return b
}

func appendWidth(b []byte, s string, width int, pad byte) []byte {
	if pad == '0' {
		b = appendTimes(b, '0', width-len(s))
	} else {
		b = appendTimes(b, ' ', width-len(s))
	}
	return append(b, s...)
}

// appendUpper writes a text in capitals, or in small letters where the flag # asks
// for the other case of what is capital.
func appendUpper(b []byte, s string, small bool, width int, pad byte) []byte {
	l := []byte(s)
	for i, c := range l {
		switch {
		case small && c >= 'A' && c <= 'Z', !small && c >= 'a' && c <= 'z':
			l[i] ^= 0x20
		}
	}
	return appendWidth(b, string(l), width, pad)
}
