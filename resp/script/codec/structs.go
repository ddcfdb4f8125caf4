package codec

import (
	"math"
	"slices"
	"strings"

	"github.com/nearcache/nearcache/resp/script/lua"
)

// Struct is the library struct: C structures to strings and back.
var Struct = lua.Library(map[string]*lua.Function{
	"pack": lua.GoFunction(structPack), "unpack": lua.GoFunction(structUnpack), "size": lua.GoFunction(structSize),
}, nil)

// layout reads a format.
type layout struct {
	l     *lua.Thread
	fmt   string
	big   bool
	align int
}

const (
	maxInt   = 32 // bytes of an integer
	maxAlign = 8
)

func newLayout(l *lua.Thread) *layout {
	f := l.CheckString(1)
	if i := strings.IndexByte(f, 0); i >= 0 {
		f = f[:i]
	}
	return &layout{l: l, fmt: f, align: 1}
}

func (y *layout) number(def int) int {
	if len(y.fmt) == 0 || y.fmt[0] < '0' || y.fmt[0] > '9' {
		return def
	}
	n := 0
	for len(y.fmt) > 0 && '0' <= y.fmt[0] && y.fmt[0] <= '9' {
		if n = n*10 + int(y.fmt[0]-'0'); n > math.MaxInt32 {
			y.l.Errorf("integral size overflow")
			return 0
		}
		y.fmt = y.fmt[1:]
	}
	return n
}

// option reads the next option, its size, and how much must be skipped before
// it at a position.
func (y *layout) option(pos int) (opt byte, size, skip int) {
	opt = y.fmt[0]
	y.fmt = y.fmt[1:]
	switch opt {
	case 'B', 'b', 'x':
		size = 1
	case 'H', 'h':
		size = 2
	case 'f':
		size = 4
	case 'L', 'l', 'T', 'd':
		size = 8
	case 'c':
		size = y.number(1)
	case 'i', 'I':
		if size = y.number(4); size > maxInt {
			y.l.Errorf("integral size %d is larger than limit of %d", size, maxInt)
		}
	}
	if size == 0 || opt == 'c' {
		return opt, size, 0
	}
	a := min(size, y.align)
	return opt, size, (a - pos&(a-1)) & (a - 1)
}

func (y *layout) control(opt byte) {
	switch opt {
	case ' ':
	case '>':
		y.big = true
	case '<':
		y.big = false
	case '!':
		a := y.number(maxAlign)
		if y.l.Failed() {
			return
		}
		if a <= 0 || a&(a-1) != 0 {
			y.l.Errorf("alignment %d is not a power of 2", a)
			return
		}
		y.align = a
	default:
		y.l.ArgError(1, "invalid format option '"+string([]byte{opt})+"'")
	}
}

// bytes puts the low bytes of a number in order.
func (y *layout) bytes(out []byte, v uint64, size int) []byte {
	at := len(out)
	for range size {
		out = append(out, byte(v))
		v >>= 8
	}
	if y.big {
		slices.Reverse(out[at:])
	}
	return out
}

func (y *layout) uint(s string) uint64 {
	v := uint64(0)
	for i := range len(s) {
		b := s[i]
		if !y.big {
			b = s[len(s)-1-i]
		}
		v = v<<8 | uint64(b)
	}
	return v
}

// number is an argument of pack. Behind the last one Redis has a nil on its stack.
func number(l *lua.Thread, i int) float64 {
	if i == l.NArg()+1 {
		l.ArgError(i, "number expected, got nil")
		return 0
	}
	return l.CheckNumber(i)
}

func structPack(l *lua.Thread) {
	y := newLayout(l)
	var out []byte
	arg := 2
	for len(y.fmt) > 0 && !l.Failed() {
		opt, size, skip := y.option(len(out))
		if l.Failed() || !l.Take(2*len(out)) || !l.Tick(1) {
			return
		}
		out = append(out, make([]byte, skip)...)
		switch opt {
		case 'b', 'B', 'h', 'H', 'l', 'L', 'T', 'i', 'I':
			f := number(l, arg)
			arg++
			v := lua.Unsigned(f)
			if f < 0 {
				v = uint64(lua.Integer(f))
			}
			out = y.bytes(out, v, size)
		case 'x':
			out = append(out, 0)
		case 'f':
			out = y.bytes(out, uint64(math.Float32bits(float32(number(l, arg)))), 4)
			arg++
		case 'd':
			out = y.bytes(out, math.Float64bits(number(l, arg)), 8)
			arg++
		case 'c', 's':
			if arg == l.NArg()+1 {
				l.ArgError(arg, "string expected, got nil")
			}
			s := l.CheckString(arg)
			if arg++; l.Failed() {
				return
			}
			if size == 0 {
				size = len(s)
			}
			if len(s) < size {
				l.ArgError(arg, "string too short")
				return
			}
			if !l.Take(2 * (len(out) + size)) {
				return
			}
			out = append(out, s[:size]...)
			if opt == 's' {
				out = append(out, 0)
			}
		default:
			y.control(opt)
		}
	}
	if !l.Failed() {
		l.Push(l.Bytes(out))
	}
}

func structUnpack(l *lua.Thread) {
	y := newLayout(l)
	data := l.CheckString(2)
	first := l.OptInteger(3, 1)
	if l.Failed() {
		return
	}
	if first == 0 { // a negative one is a large one in C
		l.ArgError(3, "offset must be 1 or greater")
		return
	}
	pos := uint64(first - 1)
	short := func(size int) bool {
		if size <= len(data) && pos <= uint64(len(data)-size) {
			return false
		}
		l.ArgError(2, "data string too short")
		return true
	}
	for len(y.fmt) > 0 && !l.Failed() {
		opt, size, skip := y.option(int(pos & 0xffff))
		if l.Failed() || !l.Tick(1) {
			return
		}
		if pos += uint64(skip); short(size) {
			return
		}
		if l.Results()+2 > maxSlots {
			l.Errorf("stack overflow (too many results)")
			return
		}
		at := int(pos)
		switch opt {
		case 'b', 'B', 'h', 'H', 'l', 'L', 'T', 'i', 'I':
			l.Push(y.integer(data[at:at+size], opt >= 'a'))
		case 'x':
		case 'f':
			l.Push(lua.Number(float64(math.Float32frombits(uint32(y.uint(data[at : at+4]))))))
		case 'd':
			l.Push(lua.Number(math.Float64frombits(y.uint(data[at : at+8]))))
		case 'c':
			if size == 0 {
				f, ok := 0.0, l.Results() > 0
				if ok {
					f, ok = lua.ToNumber(l.Pop())
				}
				if !ok {
					l.Errorf("format 'c0' needs a previous size")
					return
				}
				if f < 0 || f > float64(len(data)) || short(int(f)) {
					l.ArgError(2, "data string too short")
					return
				}
				size = int(f)
			}
			if !l.Take(size) {
				return
			}
			l.Push(l.Copy(data[at : at+size]))
		case 's':
			n := strings.IndexByte(data[at:], 0)
			if n < 0 {
				l.Errorf("unfinished string in data")
				return
			}
			if !l.Take(n) {
				return
			}
			l.Push(l.Copy(data[at : at+n]))
			size = n + 1
		default:
			y.control(opt)
		}
		pos += uint64(size)
	}
	if !l.Failed() {
		l.Push(lua.Number(float64(pos + 1)))
	}
}

// integer reads a number of any size; of more than eight bytes the last eight count.
func (y *layout) integer(s string, signed bool) lua.Value {
	v := y.uint(s)
	if !signed {
		return lua.Number(float64(v))
	}
	shift := uint(len(s)*8-1) & 63 // as the shift of amd64
	if mask := ^uint64(0) << shift; v&mask != 0 {
		v |= mask
	}
	return lua.Number(float64(int64(v)))
}

func structSize(l *lua.Thread) {
	y := newLayout(l)
	pos := 0
	for len(y.fmt) > 0 && !l.Failed() {
		opt, size, skip := y.option(pos)
		pos += skip
		switch {
		case l.Failed() || !l.Tick(1):
			return
		case opt == 's':
			l.ArgError(1, "option 's' has no fixed size")
			return
		case opt == 'c' && size == 0:
			l.ArgError(1, "option 'c0' has no fixed size")
			return
		case !('0' <= opt && opt <= '9' || 'a' <= opt|0x20 && opt|0x20 <= 'z'):
			y.control(opt)
		}
		pos += size
	}
	if !l.Failed() {
		l.Push(lua.Number(float64(pos)))
	}
}
