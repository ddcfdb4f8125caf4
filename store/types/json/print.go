package json

import (
	"math"
	"strconv"
)

// Format says how a value is written. The zero value writes no white space.
type Format struct {
	Indent, Newline, Space []byte
}

func (f *Format) plain() bool {
	return len(f.Indent) == 0 && len(f.Newline) == 0 && len(f.Space) == 0
}

// Append appends the text of the value.
func (n Node) Append(b []byte) []byte {
	w := n.word()
	if w.isFloat() {
		return AppendFloat(b, w.float())
	}
	switch w.tag() {
	case tagConst:
		switch w {
		case wordNull:
			return append(b, "null"...)
		case wordTrue:
			return append(b, "true"...)
		}
		return append(b, "false"...)
	case tagInt, tagInt64:
		i, _ := n.Int()
		return strconv.AppendInt(b, i, 10)
	case tagUint64:
		u, _ := n.Uint()
		return strconv.AppendUint(b, u, 10)
	case tagArray:
		b = append(b, '[')
		for i := range n.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = n.Elem(i).Append(b)
		}
		return append(b, ']')
	case tagObject:
		b = append(b, '{')
		for i := range n.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			key, v := n.Member(i)
			b = append(AppendString(b, key), ':')
			b = v.Append(b)
		}
		return append(b, '}')
	}
	return AppendString(b, n.Bytes())
}

// AppendFormat appends the text of the value, with white space as it stands depth
// levels deep.
func (n Node) AppendFormat(b []byte, f *Format, depth int) []byte {
	if f.plain() {
		return n.Append(b)
	}
	k := n.Kind()
	if k != Array && k != Object {
		return n.Append(b)
	}
	b = append(b, "[{"[k-Array])
	count := n.Len()
	for i := range count {
		if i > 0 {
			b = append(b, ',')
		}
		b = f.AppendBreak(b, depth+1)
		v := n
		if k == Array {
			v = n.Elem(i)
		} else {
			var key []byte
			key, v = n.Member(i)
			b = append(AppendString(b, key), ':')
			b = append(b, f.Space...)
		}
		b = v.AppendFormat(b, f, depth+1)
	}
	if count > 0 {
		b = f.AppendBreak(b, depth)
	}
	return append(b, "]}"[k-Array])
}

// AppendBreak begins a line.
func (f *Format) AppendBreak(b []byte, depth int) []byte {
	b = append(b, f.Newline...)
	for range depth {
		b = append(b, f.Indent...)
	}
	return b
}

const hexDigits = "0123456789abcdef"

// AppendString appends a string in quotes.
func AppendString(b, s []byte) []byte {
	b = append(b, '"')
	from := 0
	for i, c := range s {
		if plain[c] {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, `\b`...)
		case '\f':
			b = append(b, `\f`...)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	b = append(b, s[from:]...)
	return append(b, '"')
}

// AppendFloat appends a float as RedisJSON writes it (the format of ryu): with the
// fewest digits that read back as the same, always with a point or an exponent,
// and with an exponent from 1e16 and below 1e-5.
func AppendFloat(b []byte, f float64) []byte {
	if f == 0 {
		if math.Signbit(f) {
			b = append(b, '-')
		}
		return append(b, "0.0"...)
	}
	var room [32]byte
	text := strconv.AppendFloat(room[:0], f, 'e', -1, 64)
	if text[0] == '-' {
		b = append(b, '-')
		text = text[1:]
	}
	// d.ddde±xx
	var digits [20]byte
	n, i := 1, 1
	digits[0] = text[0]
	if text[1] == '.' {
		for i = 2; text[i] != 'e'; i++ {
			digits[n] = text[i]
			n++
		}
	}
	exp := 0
	for _, c := range text[i+2:] {
		exp = 10*exp + int(c-'0')
	}
	if text[i+1] == '-' {
		exp = -exp
	}
	switch point := exp + 1; { // digits before the point
	case n <= point && point <= 16:
		b = append(b, digits[:n]...)
		for range point - n {
			b = append(b, '0')
		}
		return append(b, '.', '0')
	case 0 < point && point <= 16:
		b = append(b, digits[:point]...)
		b = append(b, '.')
		return append(b, digits[point:n]...)
	case -5 < point && point <= 0:
		b = append(b, '0', '.')
		for range -point {
			b = append(b, '0')
		}
		return append(b, digits[:n]...)
	}
	b = append(b, digits[0])
	if n > 1 {
		b = append(b, '.')
		b = append(b, digits[1:n]...)
	}
	b = append(b, 'e')
	return strconv.AppendInt(b, int64(exp), 10)
}
