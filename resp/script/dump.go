package script

import (
	"encoding/binary"
	"hash/crc64"
	"math/bits"

	"github.com/nearcache/nearcache/resp"
)

// The payload of FUNCTION DUMP is that of Redis' RDB files: for each library an
// opcode and its code as a string, then the version and a CRC.

const (
	opFunction = 245
	opPreGA    = 246
	// dumpVersion is the version of RDB that is written, that of Redis 8.0;
	// maxVersion the newest that is read.
	dumpVersion = 12
	maxVersion  = 15
	footer      = 2 + 8
)

// crcTable is of the polynomial that Redis uses (Jones), which it does not invert.
var crcTable = crc64.MakeTable(bits.Reverse64(0xad93d23594c935a9))

func checksum(b []byte) uint64 { return ^crc64.Update(^uint64(0), crcTable, b) }

// Dump serialises all libraries.
func (e *Engine) Dump() []byte {
	var b []byte
	for _, lib := range e.Libraries() {
		b = append(b, opFunction)
		b = appendLength(b, len(lib.Code))
		b = append(b, lib.Code...)
	}
	b = binary.LittleEndian.AppendUint16(b, dumpVersion)
	return binary.LittleEndian.AppendUint64(b, checksum(b))
}

func appendLength(b []byte, n int) []byte {
	switch {
	case n < 1<<6:
		return append(b, byte(n))
	case n < 1<<14:
		return append(b, 0x40|byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint32(append(b, 0x80), uint32(n))
}

const (
	errDump        = resp.Error("ERR DUMP payload version or checksum are wrong")
	errNotFunction = resp.Error("ERR given type is not a function")
	errPreGA       = resp.Error("ERR Pre-GA function format not supported")
	errDumpCode    = resp.Error("ERR Failed loading library payload")
)

// readDump returns the codes of the libraries in a payload.
func readDump(b []byte) (codes []string, err error) {
	n := len(b) - footer
	if n < 0 || binary.LittleEndian.Uint16(b[n:]) > maxVersion {
		return nil, errDump
	}
	if sum := binary.LittleEndian.Uint64(b[n+2:]); sum != 0 && sum != checksum(b[:n+2]) {
		return nil, errDump
	}
	for b = b[:n]; len(b) > 0; {
		switch b[0] {
		case opFunction:
		case opPreGA:
			return nil, errPreGA
		default:
			return nil, errNotFunction
		}
		code, rest, ok := readString(b[1:])
		if !ok {
			return nil, errDumpCode
		}
		codes = append(codes, code)
		b = rest
	}
	return codes, nil
}

// readLength reads a length; special is the kind of a string that is not plain.
func readLength(b []byte) (n int, special int, rest []byte, ok bool) {
	if len(b) == 0 {
		return 0, 0, nil, false
	}
	switch c := b[0]; {
	case c>>6 == 0:
		return int(c & 0x3f), -1, b[1:], true
	case c>>6 == 1 && len(b) > 1:
		return int(c&0x3f)<<8 | int(b[1]), -1, b[2:], true
	case c == 0x80 && len(b) > 4:
		return int(binary.BigEndian.Uint32(b[1:])), -1, b[5:], true
	case c == 0x81 && len(b) > 8:
		n := binary.BigEndian.Uint64(b[1:])
		return int(n), -1, b[9:], n < 1<<32
	case c>>6 == 3:
		return 0, int(c & 0x3f), b[1:], true
	}
	return 0, 0, nil, false
}

func readString(b []byte) (s string, rest []byte, ok bool) {
	n, special, rest, ok := readLength(b)
	switch {
	case !ok:
		return "", nil, false
	case special == lzf:
		return readLZF(rest)
	case special >= 0 || n > len(rest): // code is no integer
		return "", nil, false
	}
	return string(rest[:n]), rest[n:], true
}

// lzf is a string that is compressed.
const lzf = 3

func readLZF(b []byte) (s string, rest []byte, ok bool) {
	clen, special, b, ok := readLength(b)
	if !ok || special >= 0 {
		return "", nil, false
	}
	n, special, b, ok := readLength(b)
	if !ok || special >= 0 || clen > len(b) || n > maxExpansion*clen {
		return "", nil, false
	}
	out := expand(b[:clen], n)
	return string(out), b[clen:], len(out) == n
}

// maxExpansion is more than LZF can make of a byte: a run of 264 takes three.
const maxExpansion = 264

// expand undoes LZF. What it returns is as long as n if the input is good.
func expand(b []byte, n int) []byte {
	out := make([]byte, 0, n)
	for len(b) > 0 {
		c := int(b[0])
		b = b[1:]
		if c < 32 { // literal bytes
			if c++; c > len(b) || len(out)+c > n {
				return nil
			}
			out, b = append(out, b[:c]...), b[c:]
			continue
		}
		length, off := c>>5, (c&31)<<8
		if length == 7 {
			if len(b) == 0 {
				return nil
			}
			length += int(b[0])
			b = b[1:]
		}
		if len(b) == 0 {
			return nil
		}
		off += int(b[0]) + 1
		b = b[1:]
		if length += 2; off > len(out) || len(out)+length > n {
			return nil
		}
		for range length {
			out = append(out, out[len(out)-off])
		}
	}
	return out
}
