package stream

import (
	"bytes"
	"cmp"
	"math"
	"strconv"
)

// ID names an entry: milliseconds of Unix time, and a number within these.
type ID struct{ Ms, Seq uint64 }

// The least and the greatest ID.
var (
	MinID = ID{}
	MaxID = ID{math.MaxUint64, math.MaxUint64}
)

// Less reports whether id comes before o.
func (id ID) Less(o ID) bool { return id.Ms < o.Ms || id.Ms == o.Ms && id.Seq < o.Seq }

// Compare returns -1, 0 or 1.
func (id ID) Compare(o ID) int {
	if c := cmp.Compare(id.Ms, o.Ms); c != 0 {
		return c
	}
	return cmp.Compare(id.Seq, o.Seq)
}

// IsZero reports whether id is 0-0, which no entry has.
func (id ID) IsZero() bool { return id == ID{} }

// Next is the ID after id. The last one has none: then it is 0-0 and false.
func (id ID) Next() (ID, bool) {
	if id.Seq++; id.Seq == 0 {
		id.Ms++
		return id, id.Ms != 0
	}
	return id, true
}

// Prev is the ID before id. The first one has none: then it is MaxID and false.
func (id ID) Prev() (ID, bool) {
	if id.Seq--; id.Seq == math.MaxUint64 {
		id.Ms--
		return id, id.Ms != math.MaxUint64
	}
	return id, true
}

// Append appends the ID as text: "1526919030474-55".
func (id ID) Append(b []byte) []byte {
	b = strconv.AppendUint(b, id.Ms, 10)
	b = append(b, '-')
	return strconv.AppendUint(b, id.Seq, 10)
}

// String is the ID as text.
func (id ID) String() string { return string(id.Append(nil)) }

// maxIDText is what Redis looks at: longer texts are no IDs.
const maxIDText = 127

// ParseID reads "ms-seq", or "ms" alone, where seq is then what is missing.
func ParseID(b []byte, missing uint64) (ID, bool) {
	id, auto, ok := parseID(b, missing)
	return id, ok && !auto
}

// ParseAutoID is ParseID that also takes "ms-*", and then reports auto: the
// sequence number is to be chosen.
func ParseAutoID(b []byte) (id ID, auto, ok bool) { return parseID(b, 0) }

func parseID(b []byte, missing uint64) (id ID, auto, ok bool) {
	if len(b) > maxIDText {
		return ID{}, false, false
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i] // where a string of C ends
	}
	ms, seq, both := bytes.Cut(b, []byte{'-'})
	if id.Ms, ok = parseUint(ms); !ok {
		return ID{}, false, false
	}
	switch {
	case !both:
		id.Seq = missing
	case len(seq) == 1 && seq[0] == '*':
		return id, true, true
	default:
		id.Seq, ok = parseUint(seq)
	}
	return id, false, ok
}

// parseUint reads what string2ull of Redis does: a number as strict as in a
// reply, or else what strtoull takes.
func parseUint(b []byte) (uint64, bool) {
	if len(b) == 0 || len(b) > 20 {
		return parseLoose(b)
	}
	var n uint64
	for i, c := range b {
		d := uint64(c - '0')
		if c < '0' || c > '9' || i == 0 && c == '0' && len(b) > 1 || n > (math.MaxUint64-d)/10 {
			return parseLoose(b)
		}
		n = n*10 + d
	}
	return n, true
}

// parseLoose is strtoull of C: spaces and a sign in front, leading zeros, and a
// negative number that wraps around. One that a strict reader takes for
// negative is refused.
func parseLoose(b []byte) (uint64, bool) {
	digits := bytes.TrimLeft(b, " \t\n\v\f\r")
	neg := len(digits) > 0 && digits[0] == '-'
	strict := neg && len(digits) == len(b)
	if len(digits) > 0 && (neg || digits[0] == '+') {
		digits = digits[1:]
	}
	if len(digits) == 0 {
		return 0, false
	}
	var n uint64
	for _, c := range digits {
		d := uint64(c - '0')
		if c < '0' || c > '9' || n > (math.MaxUint64-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	if !neg {
		return n, true
	}
	return -n, !strict || digits[0] == '0' || n > 1<<63
}
