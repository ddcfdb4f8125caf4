package squeeze

import (
	"cmp"
	"encoding/binary"
	"slices"
)

const (
	word       = 8   // bytes that count as one repetition
	segmentLen = 256 // bytes of a piece of the dictionary; 64 to 512 are within 4%
	tableBits  = 20
)

// cover chooses pieces of the samples, together at most size bytes, whose words
// many samples have: fastCOVER of the reference compressor's dictionary
// builder (Liao, Petri, Moffat, Wirth: "Effective Construction of Relative
// Lempel-Ziv Dictionaries", 2016), with a table of hashes for the words. The
// samples are cut into as many epochs as pieces are wanted, and each gives its
// best piece; what it holds counts no more. The best pieces stand last, where
// the distances to them are short.
func cover(samples [][]byte, size int) []byte {
	freq := make([]uint16, 1<<tableBits) // samples that have the word
	seen := make([]uint32, 1<<tableBits) // 1 + the last of them
	for i, b := range samples {
		for j := 0; j+word <= len(b); j++ {
			if h := hash(b[j:]); seen[h] != uint32(i+1) {
				seen[h] = uint32(i + 1)
				freq[h] = min(freq[h], 1<<16-2) + 1
			}
		}
	}
	for h, n := range freq {
		if n == 1 { // nobody else's
			freq[h] = 0
		}
	}
	clear(seen)
	var pieces []piece
	epochs := min(max(1, size/segmentLen), len(samples))
	for total, progress := 0, true; total < size && progress; {
		progress = false
		for e := 0; e < epochs && total < size; e++ {
			p := best(samples[e*len(samples)/epochs:(e+1)*len(samples)/epochs], freq, seen)
			if p.score == 0 {
				continue
			}
			for j := 0; j+word <= len(p.bytes); j++ {
				freq[hash(p.bytes[j:])] = 0
			}
			pieces = append(pieces, p)
			total += len(p.bytes)
			progress = true
		}
	}
	slices.SortStableFunc(pieces, func(a, b piece) int { return cmp.Compare(a.score, b.score) })
	var out []byte
	for _, p := range pieces {
		out = append(out, p.bytes...)
	}
	return out[max(0, len(out)-size):]
}

// piece is a part of a sample and the sum of its words' frequencies.
type piece struct {
	bytes []byte
	score int
}

// best finds the piece with the highest score, each word counted once. in is a
// table of zeros, and is so again afterwards: how often a piece has each word.
func best(samples [][]byte, freq []uint16, in []uint32) (p piece) {
	const words = segmentLen - word + 1
	for _, b := range samples {
		score, from := 0, 0
		for j := 0; j+word <= len(b); j++ {
			h := hash(b[j:])
			if in[h]++; in[h] == 1 {
				score += int(freq[h])
			}
			if j-from == words {
				h := hash(b[from:])
				if in[h]--; in[h] == 0 {
					score -= int(freq[h])
				}
				from++
			}
			if score > p.score {
				p = piece{b[from : j+word], score}
			}
		}
		for j := from; j+word <= len(b); j++ {
			in[hash(b[j:])] = 0
		}
	}
	return p
}

func hash(b []byte) uint32 {
	return uint32(binary.LittleEndian.Uint64(b) * 0x9e3779b97f4a7c15 >> (64 - tableBits))
}
