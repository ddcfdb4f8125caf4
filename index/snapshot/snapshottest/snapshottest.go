// Package snapshottest breaks saved indexes in ways that checksums do not show,
// for tests and fuzzers of what loads them. It knows the format by FORMAT.md
// alone.
package snapshottest

import (
	"encoding/binary"
	"hash/crc32"
)

const (
	page     = 4096
	chunk    = 1 << 16
	partsAt  = 20
	state    = 96
	numbers  = 16
	table    = 224
	partSize = 48
	maxParts = 16
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	le         = binary.LittleEndian
)

// Part is where a section's rows lie.
type Part struct {
	Name      string
	Row, Rows int // bytes of a row, and how many there are
	At        int // offset of the first
	checksums int
}

// Parts are the sections of a file that lie inside of it.
func Parts(b []byte) []Part {
	if len(b) < page {
		return nil
	}
	var all []Part
	for i := range min(int(le.Uint32(b[partsAt:])), maxParts) {
		t := b[table+i*partSize:][:partSize]
		name := t[:16]
		for len(name) > 0 && name[len(name)-1] == 0 {
			name = name[:len(name)-1]
		}
		row, rows, at, sums := le.Uint64(t[16:]), le.Uint64(t[24:]), le.Uint64(t[32:]), le.Uint64(t[40:])
		n := uint64(len(b))
		if at > sums || sums > n || row > n || rows > n || at+row*rows > sums {
			continue
		}
		all = append(all, Part{string(name), int(row), int(rows), int(at), int(sums)})
	}
	return all
}

// Find is the section of that name.
func Find(b []byte, name string) Part {
	for _, p := range Parts(b) {
		if p.Name == name {
			return p
		}
	}
	panic("no section " + name)
}

// Seal makes all checksums right.
func Seal(b []byte) {
	for _, p := range Parts(b) {
		at, n := p.checksums, 0
		for from := p.At; from < p.checksums && at+4 <= len(b); from += chunk {
			le.PutUint32(b[at:], crc32.Checksum(b[from:min(from+chunk, p.checksums)], castagnoli))
			at, n = at+4, n+4
		}
		if at+4 <= len(b) {
			le.PutUint32(b[at:], crc32.Checksum(b[at-n:at], castagnoli))
		}
	}
	if len(b) >= page {
		le.PutUint32(b[page-4:], crc32.Checksum(b[:page-4], castagnoli))
	}
}

// Edit changes a file as a program says, the bytes of a fuzzer: bits, words of
// rows, rows put in the place of others, sections of another file, numbers in
// the header, the file's end. Checksums are right afterwards, unless the
// program wants them wrong. The files are not changed.
func Edit(files [][]byte, program []byte) []byte {
	next := func() int {
		if len(program) == 0 {
			return 0
		}
		v := program[0]
		program = program[1:]
		return int(v)
	}
	wide := func(limit int) int {
		v := next() | next()<<8 | next()<<16
		if limit <= 0 {
			return 0
		}
		return v % limit
	}
	value := func() uint32 {
		switch k := next(); {
		case k < 64:
			return uint32(next())
		case k < 96:
			return uint32(next()) << 8
		case k < 128:
			return ^uint32(next())
		}
		return uint32(wide(1<<24)) | uint32(next())<<24
	}
	b := append([]byte(nil), files[next()%len(files)]...)
	seal := true
	for len(program) > 0 {
		parts := Parts(b)
		op := next() % 16
		switch {
		case op == 0 && len(b) > 0:
			b[wide(len(b))] ^= 1 << (next() % 8)
		case op == 1:
			b = b[:wide(len(b)+1)]
		case op == 2:
			b = append(b, make([]byte, next())...)
		case op == 3:
			seal = false
		case op == 4 && len(b) >= page:
			le.PutUint32(b[state+next()%numbers*8+next()%2*4:], value())
		case op == 5 && len(b) >= page: // parameters and table
			le.PutUint32(b[next()%((table+maxParts*partSize)/4)*4:], value())
		case len(parts) == 0:
		case op == 6:
			other := files[next()%len(files)]
			p := parts[next()%len(parts)]
			for _, o := range Parts(other) {
				if o.Name == p.Name {
					copy(b[p.At:p.checksums], other[o.At:o.checksums])
				}
			}
		case op < 9:
			p := parts[next()%len(parts)]
			if p.Rows > 0 {
				from, to := wide(p.Rows), wide(p.Rows)
				copy(b[p.At+to*p.Row:][:p.Row], b[p.At+from*p.Row:])
			}
		default:
			p := parts[next()%len(parts)]
			if p.Rows > 0 && p.Row >= 4 {
				le.PutUint32(b[p.At+wide(p.Rows)*p.Row+wide(p.Row/4)*4:], value())
			}
		}
	}
	if seal {
		Seal(b)
	}
	return b
}
