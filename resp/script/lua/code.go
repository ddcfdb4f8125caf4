package lua

// instr is one instruction: an operation, a register, and two operands.
//
//	op 8 | a 8 | b 16 | c 32        bx = c, signed where it is a jump
//
// A "k operand" is a register, or a constant where bit 8 is set.
type instr uint64

const (
	kBit   = 256 // of a k operand
	maxK   = 255 // the largest constant that fits into a k operand
	noReg  = 255 // an A that names no register
	noJump = -1  // the end of a list of jumps
)

type op uint8

// The operations. R is a register, K a constant, RK a k operand, U an upvalue.
const (
	opMove      op = iota // R(a) = R(b)
	opLoadK               // R(a) = K(bx)
	opLoadBool            // R(a) = b != 0; if c: skip one
	opLoadNil             // R(a…b) = nil
	opGetUpval            // R(a) = U(b)
	opGetGlobal           // R(a) = G[K(bx)]
	opGetTable            // R(a) = R(b)[RK(c)]
	opSetGlobal           // G[K(bx)] = R(a)
	opSetUpval            // U(b) = R(a)
	opSetTable            // R(a)[RK(b)] = RK(c)
	opNewTable            // R(a) = {}, with room for b and c
	opSelf                // R(a+1) = R(b); R(a) = R(b)[RK(c)]
	opAdd                 // R(a) = RK(b) + RK(c), and so on
	opSub
	opMul
	opDiv
	opMod
	opPow
	opUnm     // R(a) = -R(b)
	opNot     // R(a) = not R(b)
	opLen     // R(a) = #R(b)
	opConcat  // R(a) = R(b) .. … .. R(c)
	opJmp     // pc += bx
	opEq      // if (RK(b) == RK(c)) != a: skip one, which is a jump
	opLt      //
	opLe      //
	opTest    // if not (R(a) <=> c): skip one
	opTestSet // if R(b) <=> c: R(a) = R(b), else skip one
	opCall    // R(a), … = R(a)(R(a+1), … R(a+b-1)); c-1 results; 0 is "up to top"
	opTailCall
	opReturn   // return R(a), … R(a+b-2)
	opForLoop  // R(a) += R(a+2); if it is within R(a+1): pc += bx, R(a+3) = R(a)
	opForPrep  // R(a) -= R(a+2); pc += bx
	opTForLoop // R(a+3), … R(a+2+c) = R(a)(R(a+1), R(a+2)); if nil: skip one, else R(a+2) = R(a+3)
	opSetList  // R(a)[(c-1)*50+i] = R(a+i) for i in 1…b
	opClose    // close the upvalues of R(a) and above
	opClosure  // R(a) = function P(bx)
	opVararg   // R(a), … R(a+b-1) = …
)

func abc(o op, a, b, c int) instr {
	return instr(o) | instr(uint8(a))<<8 | instr(uint16(b))<<16 | instr(uint32(c))<<32
}

func (i instr) op() op  { return op(i) }
func (i instr) a() int  { return int(uint8(i >> 8)) }
func (i instr) b() int  { return int(uint16(i >> 16)) }
func (i instr) c() int  { return int(i >> 32) }
func (i instr) bx() int { return int(int32(i >> 32)) }

func (i *instr) setA(a int) { *i = *i&^(0xff<<8) | instr(uint8(a))<<8 }
func (i *instr) setB(b int) { *i = *i&^(0xffff<<16) | instr(uint16(b))<<16 }
func (i *instr) setC(c int) { *i = *i&0xffffffff | instr(uint32(c))<<32 }

// isTest reports whether a jump follows that the instruction may skip.
func (o op) isTest() bool { return o >= opEq && o <= opTestSet }

// setsA reports whether the instruction changes R(a) and nothing else.
func (o op) setsA() bool {
	switch o {
	case opSetGlobal, opSetUpval, opSetTable, opJmp, opEq, opLt, opLe, opTest, opReturn, opTForLoop, opSetList, opClose:
		return false
	}
	return true
}

// listFlush is how many elements of a constructor are stored at a time.
const listFlush = 50

// Proto is a compiled function. It is never changed, and may be used by
// several States at once.
type Proto struct {
	code     []instr
	lines    []int32 // of each instruction
	consts   []Value
	protos   []*Proto
	upvals   []upvalDesc
	locals   []local
	source   string
	line     int // where it is defined, 0 for a chunk
	params   int
	regs     int // registers it needs
	vararg   bool
	needsArg bool // it has "..." and never uses it: the table arg is made, as in Lua 5.0

	// A chunk that a script has loaded is part of the script's memory.
	chunk  *Proto // that the function stands in, nil for one that all machines share
	weight int    // of the chunk, in bytes
	mark   uint32 // of the chunk
}

// upvalDesc says where a new closure finds an upvalue.
type upvalDesc struct {
	name  string
	local bool // a register of the function around it, else an upvalue of that
	index uint8
}

// local is a local variable and where in the code it lives.
type local struct {
	name       string
	start, end int
}

// localName is the name of register reg at pc, if it is a variable's then.
func (p *Proto) localName(reg, pc int) string {
	n := reg + 1
	for i := 0; i < len(p.locals) && p.locals[i].start <= pc; i++ {
		if pc < p.locals[i].end {
			if n--; n == 0 {
				return p.locals[i].name
			}
		}
	}
	return ""
}

// setter is the instruction before pc that has last set a register, as far as
// going through the code without running it can tell.
func (p *Proto) setter(pc, reg int) instr {
	last := p.code[len(p.code)-1]
	for at := 0; at < pc; at++ {
		i := p.code[at]
		a, b := i.a(), i.b()
		set := i.op().setsA() && a == reg
		switch i.op() {
		case opLoadNil:
			set = a <= reg && reg <= b
		case opSelf:
			set = reg == a || reg == a+1
		case opTForLoop:
			set = reg >= a+2
		case opCall, opTailCall:
			set = reg >= a
		case opJmp, opForLoop, opForPrep:
			if to := at + 1 + i.bx(); at < to && to <= pc {
				at = to - 1
			}
		}
		if set {
			last = i
		}
	}
	return last
}
