package bitmap

import (
	"encoding/binary"
	"math/bits"
)

// Count is the number of bits that are set among those from one on up to another,
// which is not counted. Both are in b.
func Count(b []byte, from, to int64) (n int64) {
	if from >= to {
		return 0
	}
	first, last := from>>3, (to-1)>>3
	head, tail := byte(0xff)>>(from&7), byte(0xff)<<(7-(to-1)&7)
	if first == last {
		return int64(bits.OnesCount8(b[first] & head & tail))
	}
	n = int64(bits.OnesCount8(b[first]&head) + bits.OnesCount8(b[last]&tail))
	return n + count(b[first+1:last])
}

func count(b []byte) (n int64) {
	if k := wide(len(b)); k > 0 {
		n = countWide(&b[0], k)
		b = b[k:]
	}
	for ; len(b) >= 32; b = b[32:] { // sums that do not wait for each other
		c0 := bits.OnesCount64(binary.LittleEndian.Uint64(b))
		c1 := bits.OnesCount64(binary.LittleEndian.Uint64(b[8:]))
		c2 := bits.OnesCount64(binary.LittleEndian.Uint64(b[16:]))
		c3 := bits.OnesCount64(binary.LittleEndian.Uint64(b[24:]))
		n += int64(c0 + c1 + c2 + c3)
	}
	for _, x := range b {
		n += int64(bits.OnesCount8(x))
	}
	return n
}

// Find is the place of the first bit that is set, or clear, from one on up to
// another, which is not looked at; -1 without one. Both are in b.
func Find(b []byte, set bool, from, to int64) int64 {
	if from >= to {
		return -1
	}
	flip := byte(0xff) // makes what is looked for a 1
	if set {
		flip = 0
	}
	first, last := from>>3, (to-1)>>3
	x := (b[first] ^ flip) & (0xff >> (from & 7))
	i := first
	if x == 0 && first < last {
		same := uint64(flip) * 0x0101010101010101
		i = first + 1
		for ; i+32 <= last; i += 32 {
			four := b[i : i+32]
			if (get(four)^same)|(get(four[8:])^same)|(get(four[16:])^same)|(get(four[24:])^same) != 0 {
				break
			}
		}
		for i+8 <= last && get(b[i:])^same == 0 {
			i += 8
		}
		for ; i < last && b[i]^flip == 0; i++ {
		}
		x = b[i] ^ flip
	}
	if x == 0 {
		return -1
	}
	if at := i*8 + int64(bits.LeadingZeros8(x)); at < to {
		return at
	}
	return -1
}
