package lua

import (
	"math"
	"math/bits"
	"strconv"
	"time"
)

// Math lists the functions of numbers; MathConstants its two numbers.
var Math = map[string]*Function{
	"abs": fn1(math.Abs), "acos": fn1(math.Acos), "asin": fn1(math.Asin), "atan": fn1(math.Atan), "ceil": fn1(math.Ceil),
	"cos": fn1(math.Cos), "cosh": fn1(math.Cosh), "exp": fn1(math.Exp), "floor": fn1(math.Floor), "log": fn1(math.Log),
	"log10": fn1(math.Log10), "sin": fn1(math.Sin), "sinh": fn1(math.Sinh), "sqrt": fn1(math.Sqrt),
	"tan": fn1(math.Tan), "tanh": fn1(math.Tanh),
	"deg":   fn1(func(x float64) float64 { return x / (math.Pi / 180) }),
	"rad":   fn1(func(x float64) float64 { return x * (math.Pi / 180) }),
	"atan2": fn2(math.Atan2), "fmod": fmod, "mod": fmod, "pow": fn2(pow),
	"frexp": GoFunction(mathFrexp), "ldexp": GoFunction(mathLdexp), "modf": GoFunction(mathModf),
	"max": GoFunction(mathMax), "min": GoFunction(mathMin),
	"random": GoFunction(mathRandom), "randomseed": GoFunction(mathSeed),
}

var fmod = fn2(math.Mod)

// MathConstants are the numbers that stand beside the functions.
var MathConstants = map[string]float64{"pi": math.Pi, "huge": math.Inf(1)}

func fn1(f func(float64) float64) *Function {
	return GoFunction(func(l *Thread) {
		if x := l.CheckNumber(1); !l.failed {
			l.Push(Number(f(x)))
		}
	})
}

func fn2(f func(x, y float64) float64) *Function {
	return GoFunction(func(l *Thread) {
		if x, y := l.CheckNumber(1), l.CheckNumber(2); !l.failed {
			l.Push(Number(f(x, y)))
		}
	})
}

func mathFrexp(l *Thread) {
	if x := l.CheckNumber(1); !l.failed {
		f, e := math.Frexp(x)
		l.Push(Number(f))
		l.Push(Number(float64(e)))
	}
}

func mathLdexp(l *Thread) {
	if x, e := l.CheckNumber(1), l.CheckInt(2); !l.failed {
		l.Push(Number(math.Ldexp(x, e)))
	}
}

func mathModf(l *Thread) {
	x := l.CheckNumber(1)
	if l.failed {
		return
	}
	i, f := math.Modf(x)
	if math.IsInf(x, 0) {
		f = math.Copysign(0, x)
	}
	l.Push(Number(i))
	l.Push(Number(f))
}

func mathMax(l *Thread) { l.best(func(x, best float64) bool { return x > best }) }
func mathMin(l *Thread) { l.best(func(x, best float64) bool { return x < best }) }

func (l *Thread) best(better func(x, best float64) bool) {
	best := l.CheckNumber(1)
	for i := 2; i <= l.NArg(); i++ {
		if x := l.CheckNumber(i); better(x, best) {
			best = x
		}
	}
	if !l.failed {
		l.Push(Number(best))
	}
}

// rand48 is the generator of Redis: the same seed gives the same numbers.
type rand48 uint64

func (r *rand48) seed(n int) { *r = rand48(uint64(uint32(n))<<16 | 0x330E) }

func (r *rand48) next() uint32 {
	*r = (*r*0x5DEECE66D + 0xB) & (1<<48 - 1)
	return uint32(*r >> 17)
}

func mathSeed(l *Thread) {
	if n := l.CheckInt(1); !l.failed {
		l.s.random.seed(n)
	}
}

func mathRandom(l *Thread) {
	const most = math.MaxInt32
	x := float64(l.s.random.next()%most) / most
	lo, up := 1, 1
	switch l.NArg() {
	case 0:
		l.Push(Number(x))
		return
	case 1:
		if up = l.CheckInt(1); !l.failed && up < 1 {
			l.ArgError(1, "interval is empty")
		}
	case 2:
		lo, up = l.CheckInt(1), l.CheckInt(2)
		if !l.failed && lo > up {
			l.ArgError(2, "interval is empty")
		}
	default:
		l.Errorf("wrong number of arguments")
	}
	if !l.failed {
		l.Push(Number(math.Floor(x*float64(up-lo+1)) + float64(lo)))
	}
}

// OS lists what Redis leaves of os.
var OS = map[string]*Function{"clock": GoFunction(osClock)}

var started = time.Now()

func osClock(l *Thread) { l.Push(Number(time.Since(started).Seconds())) }

// Bit lists the bit operations, those of Lua BitOp.
var Bit = map[string]*Function{
	"tobit":   bit1(func(x uint32) uint32 { return x }),
	"bnot":    bit1(func(x uint32) uint32 { return ^x }),
	"bswap":   bit1(bits.ReverseBytes32),
	"band":    bitAll(func(x, y uint32) uint32 { return x & y }),
	"bor":     bitAll(func(x, y uint32) uint32 { return x | y }),
	"bxor":    bitAll(func(x, y uint32) uint32 { return x ^ y }),
	"lshift":  bitShift(func(x uint32, n int) uint32 { return x << n }),
	"rshift":  bitShift(func(x uint32, n int) uint32 { return x >> n }),
	"arshift": bitShift(func(x uint32, n int) uint32 { return uint32(int32(x) >> n) }),
	"rol":     bitShift(bits.RotateLeft32),
	"ror":     bitShift(func(x uint32, n int) uint32 { return bits.RotateLeft32(x, -n) }),
	"tohex":   GoFunction(bitTohex),
}

// checkBits wants a number, and takes its lowest 32 bits as BitOp does: by
// adding a number whose last bit is a one.
func (l *Thread) checkBits(i int) uint32 {
	return uint32(math.Float64bits(l.CheckNumber(i) + 6755399441055744))
}

func (l *Thread) pushBits(x uint32) {
	if !l.failed {
		l.Push(Number(float64(int32(x))))
	}
}

func bit1(f func(uint32) uint32) *Function {
	return GoFunction(func(l *Thread) { l.pushBits(f(l.checkBits(1))) })
}

func bitAll(f func(x, y uint32) uint32) *Function {
	return GoFunction(func(l *Thread) {
		x := l.checkBits(1)
		for i := 2; i <= l.NArg(); i++ {
			x = f(x, l.checkBits(i))
		}
		l.pushBits(x)
	})
}

func bitShift(f func(x uint32, n int) uint32) *Function {
	return GoFunction(func(l *Thread) {
		x, n := l.checkBits(1), l.checkBits(2)
		l.pushBits(f(x, int(n&31)))
	})
}

func bitTohex(l *Thread) {
	x := l.checkBits(1)
	n := int32(8)
	if !l.Arg(2).isNil() || l.NArg() >= 2 {
		n = int32(l.checkBits(2))
	}
	if l.failed {
		return
	}
	digits := "0123456789abcdef"
	if n < 0 {
		n, digits = -n, "0123456789ABCDEF"
	}
	if n < 0 || n > 8 {
		n = 8
	}
	s := []byte(strconv.FormatUint(uint64(x), 16))
	s = append([]byte("00000000"), s...)
	s = s[len(s)-int(n):]
	for i, c := range s {
		if c >= 'a' {
			s[i] = digits[c-'a'+10]
		}
	}
	l.Push(l.bytes(s))
}
