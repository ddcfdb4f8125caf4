package hll

// run reads the run at p: how many registers, their value, and its bytes. A long
// run of zeros that is cut off counts as if a zero followed.
func run(b []byte, p int) (n int, value uint8, size int) {
	switch c := b[p]; {
	case c&0x80 != 0:
		return int(c&3) + 1, c>>2&31 + 1, 1
	case c&0x40 == 0:
		return int(c&63) + 1, 0, 1
	case p+1 < len(b):
		return int(c&63)<<8 | int(b[p+1]) + 1, 0, 2
	default:
		return int(c&63)<<8 + 1, 0, 2
	}
}

func appendZeros(b []byte, n int) []byte {
	switch {
	case n == 0:
		return b
	case n > maxRun:
		return append(b, 0x40|byte((n-1)>>8), byte(n-1))
	}
	return append(b, byte(n-1))
}

func appendValues(b []byte, v uint8, n int) []byte {
	if n == 0 {
		return b
	}
	return append(b, valueRun(v, n))
}

func valueRun(v uint8, n int) byte { return 0x80 | (v-1)<<2 | byte(n-1) }

// setSparse raises a register of a sparse string: the run that holds it is split
// in up to three, and runs of equal values around are joined.
func setSparse(b []byte, i int, v uint8) (out []byte, changed, ok bool) {
	if v > maxSparse {
		return promote(b, i, v)
	}
	first, prev, p := 0, -1, headLen
	var n, size int
	var old uint8
	for ; p < len(b); p += size {
		n, old, size = run(b, p)
		if i < first+n {
			break
		}
		prev = p
		first += n
	}
	if p >= len(b) || p+size > len(b) {
		return b, false, false
	}
	if old >= v {
		return b, false, true
	}
	var room [5]byte
	seq := room[:0]
	before, after := i-first, first+n-1-i
	if old == 0 {
		seq = appendZeros(seq, before)
		seq = appendValues(seq, v, 1)
		seq = appendZeros(seq, after)
	} else {
		seq = appendValues(seq, old, before)
		seq = appendValues(seq, v, 1)
		seq = appendValues(seq, old, after)
	}
	more := len(seq) - size
	if more > 0 && len(b)+more > sparseMax {
		return promote(b, i, v)
	}
	end := len(b)
	for range more {
		b = append(b, 0)
	}
	copy(b[p+len(seq):], b[p+size:end])
	copy(b[p:], seq)
	b = b[:end+more]
	if prev < 0 {
		prev = headLen
	}
	return join(b, prev), true, true
}

// join joins runs of equal values that follow each other, among the five from p on.
func join(b []byte, p int) []byte {
	for left := 5; p < len(b) && left > 0; left-- {
		switch c := b[p]; {
		case c&0xc0 == 0x40:
			p += 2
			continue
		case c&0x80 != 0 && p+1 < len(b) && b[p+1]&0x80 != 0 && c>>2 == b[p+1]>>2:
			if n := int(c&3) + int(b[p+1]&3) + 2; n <= 4 {
				b[p+1] = valueRun(c>>2&31+1, n)
				b = append(b[:p], b[p+1:]...)
				continue
			}
		}
		p++
	}
	Stale(b)
	return b
}

// promote makes a string dense and raises a register.
func promote(b []byte, i int, v uint8) (out []byte, changed, ok bool) {
	out, ok = ToDense(b)
	if !ok {
		return b, false, false
	}
	return out, setDense(out[headLen:], i, v), true
}

// AppendRuns appends the runs of a sparse string as text: z:3 Z:200 v:2,1.
func AppendRuns(dst, b []byte, number func([]byte, int) []byte) []byte {
	for p := headLen; p < len(b); {
		n, v, size := run(b, p)
		if p > headLen {
			dst = append(dst, ' ')
		}
		switch {
		case v > 0:
			dst = number(append(dst, "v:"...), int(v))
			dst = number(append(dst, ','), n)
		case size == 2:
			dst = number(append(dst, "Z:"...), n)
		default:
			dst = number(append(dst, "z:"...), n)
		}
		p += size
	}
	return dst
}
