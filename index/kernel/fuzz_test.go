package kernel

import (
	"encoding/binary"
	"math"
	"testing"
)

// bytesOfInput gives components from the bytes of data, again and again.
func bytesOfInput(data []byte) func(t Type) uint64 {
	at := 0
	return func(t Type) (x uint64) {
		for range (layout[t].bits + 7) / 8 {
			x = x<<8 | uint64(data[at%len(data)])
			at++
		}
		return x
	}
}

func fuzz(f *testing.F, integer bool) {
	f.Fuzz(func(t *testing.T, data []byte, dim uint16, n, gap uint8) {
		if len(data) == 0 {
			return
		}
		rows := int(n)%19 + 1
		for _, k := range All {
			if layout[k.Type].integer != integer || !k.Supported() || k.ISA == Generic {
				continue
			}
			g := gaps(k)
			s := newSet(k, int(dim)%3100, rows, g[int(gap)%len(g)])
			s.fill(bytesOfInput(data))
			slots := make([]uint32, rows)
			for i := range slots {
				slots[i] = uint32(i * 7 % rows)
			}
			s.compare(t, slots, nil)
		}
	})
}

func FuzzFloatKernels(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9}, uint16(3), uint8(1), uint8(0))
	f.Add(binary.BigEndian.AppendUint64(nil, math.Float64bits(math.NaN())), uint16(1), uint8(0), uint8(1))
	f.Add(binary.BigEndian.AppendUint32(nil, math.Float32bits(float32(math.Inf(1)))), uint16(17), uint8(5), uint8(2))
	f.Add([]byte{0x7f, 0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff}, uint16(2), uint8(5), uint8(0)) // ±float32 max
	f.Add([]byte{0x00, 0x01, 0x80, 0x01, 0x03, 0xff}, uint16(130), uint8(4), uint8(1))           // subnormals
	f.Add([]byte{0x3c, 0x00, 0x3f, 0x80, 0xbc, 0x01}, uint16(767), uint8(8), uint8(2))
	f.Add([]byte{0, 0, 0, 0, 0x80, 0, 0, 0}, uint16(1536), uint8(3), uint8(0)) // ±0
	fuzz(f, false)
}

func FuzzIntegerKernels(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9}, uint16(3), uint8(1), uint8(0))
	f.Add([]byte{0x80, 0x7f, 0xff, 0x00}, uint16(130), uint8(5), uint8(1))
	f.Add([]byte{0x80}, uint16(3072), uint8(12), uint8(2))
	f.Add([]byte{0xff}, uint16(767), uint8(18), uint8(3))
	f.Add([]byte{0x7f, 0xff}, uint16(65), uint8(2), uint8(3))
	f.Add([]byte{0}, uint16(0), uint8(7), uint8(3))
	fuzz(f, true)
}
