package resp

// SplitArgs splits a line into words as Redis does for inline commands and its
// configuration file, and appends them to dst. Words are separated by white
// space. A part in double quotes may hold anything, with the escapes \n \r \t
// \b \a and \xHH; in single quotes \' is the only escape. The line ends at its
// first NUL. SplitArgs reports false for unbalanced quotes, and for a closing
// quote with no space behind it.
//
// The words share the memory of line, which is overwritten.
func SplitArgs(dst [][]byte, line []byte) ([][]byte, bool) {
	const (
		plain = iota
		single
		double
	)
	i := 0
	at := func(j int) byte { // NUL marks the end, as in C
		if j < len(line) {
			return line[j]
		}
		return 0
	}
	for {
		for isSpace(at(i)) {
			i++
		}
		if at(i) == 0 {
			return dst, true
		}
		// Unescaping never makes a word longer, so it is written over itself.
		from, to := i, i
		put := func(c byte) { line[to] = c; to++ }
		mode := plain
	word:
		for ; ; i++ {
			c := at(i)
			switch mode {
			case plain:
				switch c {
				case ' ', '\n', '\r', '\t', 0:
					break word
				case '"':
					mode = double
				case '\'':
					mode = single
				default:
					put(c)
				}
			case double:
				switch {
				case c == 0:
					return dst, false
				case c == '\\' && at(i+1) == 'x' && isHex(at(i+2)) && isHex(at(i+3)):
					put(hexValue(at(i+2))<<4 | hexValue(at(i+3)))
					i += 3
				case c == '\\' && at(i+1) != 0:
					i++
					put(unescape(line[i]))
				case c == '"':
					if n := at(i + 1); n != 0 && !isSpace(n) {
						return dst, false
					}
					i++
					break word
				default:
					put(c)
				}
			case single:
				switch {
				case c == 0:
					return dst, false
				case c == '\\' && at(i+1) == '\'':
					i++
					put('\'')
				case c == '\'':
					if n := at(i + 1); n != 0 && !isSpace(n) {
						return dst, false
					}
					i++
					break word
				default:
					put(c)
				}
			}
		}
		dst = append(dst, line[from:to:to])
	}
}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&0xf + 9
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'a':
		return '\a'
	}
	return c
}
