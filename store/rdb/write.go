package rdb

import (
	"encoding/binary"
	"math"

	"github.com/nearcache/nearcache/store/decimal"
)

// appendLength appends a length.
func appendLength(b []byte, n uint64) []byte {
	switch {
	case n < length14:
		return append(b, byte(n))
	case n < 1<<14:
		return append(b, length14|byte(n>>8), byte(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, length32), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, length64), n)
}

// shortest is the length from which on a string is compressed.
const shortest = 20

// AppendString appends a string: as an integer where it is one, compressed where
// that is shorter.
func AppendString(b, s []byte) []byte {
	if len(s) > shortest {
		packed, ok := lzfCompress(nil, s)
		if ok && len(packed)+4 < len(s) {
			b = appendLength(append(b, encodedLZF), uint64(len(packed)))
			b = appendLength(b, uint64(len(s)))
			return append(b, packed...)
		}
	}
	return appendUnpacked(b, s)
}

// appendUnpacked appends a string: as an integer where it is one, and never compressed.
func appendUnpacked(b, s []byte) []byte {
	if len(s) <= 11 {
		if n, ok := decimal.ParseInt(s); ok {
			switch {
			case n >= math.MinInt8 && n <= math.MaxInt8:
				return append(b, encodedInt8, byte(n))
			case n >= math.MinInt16 && n <= math.MaxInt16:
				return binary.LittleEndian.AppendUint16(append(b, encodedInt16), uint16(n))
			case n >= math.MinInt32 && n <= math.MaxInt32:
				return binary.LittleEndian.AppendUint32(append(b, encodedInt32), uint32(n))
			}
		}
	}
	return append(appendLength(b, uint64(len(s))), s...)
}

func appendDouble(b []byte, f float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
}

func appendMillis(b []byte, at int64) []byte { return binary.LittleEndian.AppendUint64(b, uint64(at)) }
