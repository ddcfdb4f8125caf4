package json

import (
	"encoding/binary"
	"math"
)

// word is a value in eight bytes: a float, or one of the NaNs that JSON has no
// use for, with a tag in the upper 16 bits.
type word uint64

const (
	tagShift = 48
	payload  = 1<<tagShift - 1

	tagShort  = 0x7ff8 // + length of the string that is the payload
	shortMax  = 6
	tagConst  = 0xfff8
	tagInt    = 0xfff9 // the payload, signed
	tagInt64  = 0xfffa // the offset of eight bytes
	tagUint64 = 0xfffb // the same, above the largest int64
	tagString = 0xfffc // the offset of a block, from here on
	tagArray  = 0xfffd
	tagObject = 0xfffe

	wordNull  = tagConst << tagShift
	wordFalse = wordNull | 1
	wordTrue  = wordNull | 2

	wordSize = 8
)

func (w word) tag() uint { return uint(w >> tagShift) }

func (w word) isFloat() bool { return w>>tagShift&tagShort != tagShort }

// place is the offset of what the word names.
func (w word) place() int { return int(w & payload) }

func floatWord(f float64) word { return word(math.Float64bits(f)) }

func (w word) float() float64 { return math.Float64frombits(uint64(w)) }

// smallInt is the word of an integer that fits.
func smallInt(n int64) (word, bool) {
	if n<<(64-tagShift)>>(64-tagShift) != n {
		return 0, false
	}
	return tagInt<<tagShift | word(n)&payload, true
}

// shortWord is the word of a string that fits.
func shortWord(s []byte) (word, bool) {
	if len(s) > shortMax {
		return 0, false
	}
	w := word(tagShort+len(s)) << tagShift
	for i, c := range s {
		w |= word(c) << (8 * i)
	}
	return w, true
}

func (w word) shortLen() int { return int(w.tag() - tagShort) }

func (w word) isShort() bool { t := w.tag(); return t >= tagShort && t <= tagShort+shortMax }

func wordAt(b []byte, at int) word { return word(binary.LittleEndian.Uint64(b[at:])) }

func putWord(b []byte, at int, w word) { binary.LittleEndian.PutUint64(b[at:], uint64(w)) }

func uint32At(b []byte, at int) int { return int(binary.LittleEndian.Uint32(b[at:])) }

func putUint32(b []byte, at, n int) { binary.LittleEndian.PutUint32(b[at:], uint32(n)) }
