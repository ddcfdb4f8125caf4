package resp

import (
	"math"
	"strconv"
	"unsafe"

	"github.com/tidwall/redcon"
)

// Writer appends replies to a buffer of its own, in the protocol version of
// the client. The zero value is ready for use and speaks RESP2. Its methods
// do not allocate once the buffer has grown to the size of the replies.
//
// Whoever writes the head of an aggregate (Array, Map, Set, Push, Attr) writes
// its elements next; nothing checks the count.
type Writer struct {
	buf   []byte
	lent  *byte // where the memory lent begins, nil without any
	resp3 bool
}

// Proto returns the protocol version, 2 or 3.
func (w *Writer) Proto() int {
	if w.resp3 {
		return 3
	}
	return 2
}

// SetProto chooses the protocol version of the replies that follow: RESP3 for
// 3, RESP2 for anything else.
func (w *Writer) SetProto(v int) { w.resp3 = v == 3 }

// Bytes returns what has been written since the last Reset. The slice is valid
// until the next write.
func (w *Writer) Bytes() []byte { return w.buf }

// Len returns the number of bytes written since the last Reset.
func (w *Writer) Len() int { return len(w.buf) }

// Size is the memory of the buffer in bytes, 0 while it is lent.
func (w *Writer) Size() int {
	if w.lent != nil {
		return 0
	}
	return cap(w.buf)
}

// Truncate drops all but the first n bytes. It takes back a reply that was
// begun before an error showed.
func (w *Writer) Truncate(n int) { w.buf = w.buf[:n] }

// maxIdleBuffer is how much memory a Writer keeps when it is reset: 64 kB hold
// a deep pipeline of common replies, and ten thousand idle clients stay cheap.
const maxIdleBuffer = 64 << 10

// Reset forgets what was written and keeps the buffer, unless a large reply
// has blown it up.
func (w *Writer) Reset() {
	if cap(w.buf) > maxIdleBuffer && w.lent == nil {
		w.buf = nil
		return
	}
	w.buf = w.buf[:0]
}

// Detach gives up the memory that holds what has been written, which is the
// caller's from here on. It returns nil, and changes nothing, where that was lent or
// is less than so many bytes.
func (w *Writer) Detach(least int) []byte {
	b := w.buf
	if len(b) < least || !w.own() {
		return nil
	}
	w.buf = nil
	return b
}

// own reports whether the buffer is not the one that was lent.
func (w *Writer) own() bool { return w.lent == nil || unsafe.SliceData(w.buf) != w.lent }

// Lend gives a writer without content memory to write to until Return.
func (w *Writer) Lend(b []byte) {
	if len(w.buf) == 0 {
		w.buf, w.lent = b[:0], unsafe.SliceData(b)
	}
}

// maxLent is how much memory Return gives back at most.
const maxLent = 1 << 20

// Seal keeps what has been written where it is, in the memory lent, and returns
// the rest of that for others. Return, later, is called with what is free then.
// Where nothing has been written Seal is Return: what comes meanwhile would be
// written over that of others.
func (w *Writer) Seal(lent []byte) (rest []byte) {
	n := len(w.buf)
	if n == 0 {
		return w.Return(lent)
	}
	if w.own() { // it has grown out of it
		return lent
	}
	w.buf = w.buf[:n:n]
	return lent[n:n]
}

// Return ends Lend and gives the memory back, or more that it has grown to.
// What has not been sent moves to memory of the writer's own.
func (w *Writer) Return(lent []byte) []byte {
	if w.lent == nil {
		return lent
	}
	own := w.own()
	w.lent = nil
	if len(w.buf) > 0 {
		if !own {
			w.buf = append([]byte(nil), w.buf...)
		}
		return lent
	}
	if cap(w.buf) > cap(lent) && cap(w.buf) <= maxLent {
		lent = w.buf
	}
	w.buf = nil
	return lent
}

// Status writes a simple string such as OK. CR and LF in s become spaces.
func (w *Writer) Status(s string) { w.buf = redcon.AppendString(w.buf, s) }

// Error writes an error reply; s is its full text with the code in front, as
// in "ERR syntax error". CR and LF in s become spaces, so that no client can
// have its own text come back as a second reply.
func (w *Writer) Error(s string) { w.buf = redcon.AppendError(w.buf, s) }

// Int writes an integer.
func (w *Writer) Int(n int64) { w.buf = redcon.AppendInt(w.buf, n) }

// Bulk writes a string of bytes. A nil slice is the empty string: the missing
// value is Null.
func (w *Writer) Bulk(b []byte) { w.buf = redcon.AppendBulk(w.buf, b) }

// BulkHead writes what stands before a string of n bytes; the bytes follow, and the
// end of a line.
func (w *Writer) BulkHead(n int) { w.head('$', n) }

// BulkString writes a string of bytes.
func (w *Writer) BulkString(s string) { w.buf = redcon.AppendBulkString(w.buf, s) }

// BulkInt writes an integer as a string of bytes.
func (w *Writer) BulkInt(n int64) {
	var d [20]byte
	w.Bulk(strconv.AppendInt(d[:0], n, 10))
}

// Null writes the missing value: $-1 in RESP2, the null type in RESP3.
func (w *Writer) Null() {
	if w.resp3 {
		w.buf = append(w.buf, "_\r\n"...)
		return
	}
	w.buf = redcon.AppendNull(w.buf)
}

// NullArray writes the missing array, as EXEC and BLPOP answer: *-1 in RESP2,
// the null type in RESP3.
func (w *Writer) NullArray() {
	if w.resp3 {
		w.buf = append(w.buf, "_\r\n"...)
		return
	}
	w.buf = append(w.buf, "*-1\r\n"...)
}

// Array writes the head of an array of n elements.
func (w *Writer) Array(n int) { w.buf = redcon.AppendArray(w.buf, n) }

// ArrayFrom makes what was written after the first start bytes the n elements of
// an array: for replies whose number of elements is known at their end.
func (w *Writer) ArrayFrom(start, n int) {
	end := len(w.buf)
	w.Array(n)
	w.toFront(start, end)
}

// SetFrom is ArrayFrom for a set.
func (w *Writer) SetFrom(start, n int) {
	end := len(w.buf)
	w.Set(n)
	w.toFront(start, end)
}

// toFront moves the head that was written at end to start.
func (w *Writer) toFront(start, end int) {
	var head [24]byte
	k := copy(head[:], w.buf[end:])
	copy(w.buf[start+k:], w.buf[start:end])
	copy(w.buf[start:], head[:k])
}

// Map writes the head of a map of n pairs; in RESP2 an array of 2n elements.
func (w *Writer) Map(n int) {
	if w.resp3 {
		w.head('%', n)
		return
	}
	w.Array(2 * n)
}

// Set writes the head of a set of n elements; in RESP2 an array.
func (w *Writer) Set(n int) {
	if w.resp3 {
		w.head('~', n)
		return
	}
	w.Array(n)
}

// Push writes the head of an out-of-band message of n elements; in RESP2 an
// array, which only a client in subscribe mode expects.
func (w *Writer) Push(n int) {
	if w.resp3 {
		w.head('>', n)
		return
	}
	w.Array(n)
}

// Attr writes the head of an attribute of n pairs and reports whether the pairs
// are to follow. RESP2 has no attributes: nothing is written then, and Attr
// reports false.
func (w *Writer) Attr(n int) bool {
	if w.resp3 {
		w.head('|', n)
	}
	return w.resp3
}

func (w *Writer) head(kind byte, n int) {
	w.buf = append(w.buf, kind)
	w.buf = strconv.AppendInt(w.buf, int64(n), 10)
	w.buf = append(w.buf, '\r', '\n')
}

// Double writes a floating-point number; in RESP2 its digits as a string.
func (w *Writer) Double(f float64) {
	if w.resp3 {
		w.buf = append(w.buf, ',')
		w.buf = AppendDouble(w.buf, f)
		w.buf = append(w.buf, '\r', '\n')
		return
	}
	var d [32]byte
	w.Bulk(AppendDouble(d[:0], f))
}

// Bool writes a truth value; in RESP2 the integers 1 and 0.
func (w *Writer) Bool(v bool) {
	switch {
	case w.resp3 && v:
		w.buf = append(w.buf, "#t\r\n"...)
	case w.resp3:
		w.buf = append(w.buf, "#f\r\n"...)
	case v:
		w.Int(1)
	default:
		w.Int(0)
	}
}

// BigNumber writes an integer of any size, given as decimal digits; in RESP2
// as a string.
func (w *Writer) BigNumber(digits string) {
	if !w.resp3 {
		w.BulkString(digits)
		return
	}
	w.buf = append(w.buf, '(')
	w.buf = append(w.buf, digits...)
	w.buf = append(w.buf, '\r', '\n')
}

// Verbatim writes text for people with its format, three letters such as
// "txt" or "mkd"; in RESP2 as a string without the format.
func (w *Writer) Verbatim(format, text string) {
	if !w.resp3 {
		w.BulkString(text)
		return
	}
	w.head('=', len(text)+4)
	for i := range 3 {
		c := byte(' ')
		if i < len(format) {
			c = format[i]
		}
		w.buf = append(w.buf, c)
	}
	w.buf = append(w.buf, ':')
	w.buf = append(w.buf, text...)
	w.buf = append(w.buf, '\r', '\n')
}

// Raw writes bytes that already are a reply in the client's protocol version.
func (w *Writer) Raw(b []byte) { w.buf = append(w.buf, b...) }

// AppendDouble appends f as Redis 8 prints a double: inf, -inf and nan in words,
// whole numbers up to 2^62 in full, all others with digits that read back as f,
// nearly always the fewest (appendDigits). Whether those come with an exponent
// follows the rules of fpconv, which Redis uses: 0.00001 and 12345.5, but 1.234e-5
// and 1.2345678901234e+4.
func AppendDouble(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, "nan"...)
	case math.IsInf(f, 1):
		return append(b, "inf"...)
	case math.IsInf(f, -1):
		return append(b, "-inf"...)
	case f == 0 && math.Signbit(f):
		return append(b, "-0"...)
	case math.Abs(f) <= 1<<62 && f == math.Trunc(f):
		return strconv.AppendInt(b, int64(f), 10)
	}
	var text [32]byte
	digits, k := appendDigits(text[:0], math.Abs(f))
	n := len(digits)
	exp := n + k - 1 // of the first digit
	sign := byte('+')
	if exp < 0 {
		exp, sign = -exp, '-'
	}
	if f < 0 {
		b = append(b, '-')
	}
	switch {
	case k >= 0 && exp < n+7:
		b = append(b, digits...)
		for range k {
			b = append(b, '0')
		}
		return b
	case k < 0 && (k > -7 || exp < 4):
		point := n + k // digits before the point
		if point > 0 {
			b = append(b, digits[:point]...)
			b = append(b, '.')
			return append(b, digits[point:]...)
		}
		b = append(b, '0', '.')
		for range -point {
			b = append(b, '0')
		}
		return append(b, digits...)
	}
	b = append(b, digits[0])
	if n > 1 {
		b = append(b, '.')
		b = append(b, digits[1:]...)
	}
	b = append(b, 'e', sign)
	return strconv.AppendInt(b, int64(exp), 10)
}
