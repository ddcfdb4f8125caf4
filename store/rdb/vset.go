package rdb

import (
	"math"

	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/types/vset"
)

// Redis keeps a vector set as the data of a module: its parameters, and then each
// element with its row and numbers about its place in Redis' graph: ID, level, and
// the IDs it is linked to at each level. These links are written, so that Redis
// need not build a graph; ours is another one, so they are read for their form only.
const (
	vsetName    = "vectorset"
	vsetVersion = 0

	vsetMatrix = 1 << 0 // the vectors are projected
	vsetAttrs  = 1 << 1 // attributes stand behind each name

	maxLevels = 16 // of Redis' graph
)

// unsigned reads a number of a module.
func (r *Reader) unsigned() uint64 {
	if r.Length() != moduleUnsigned {
		r.fail()
		return 0
	}
	return r.Length()
}

// moduleText reads a string of a module.
func (r *Reader) moduleText() []byte {
	if r.Length() != moduleString {
		r.fail()
		return nil
	}
	return r.String()
}

func (r *Reader) vset() object.Object {
	p := vset.Params{}
	dim, n, config, flags := r.unsigned(), r.unsigned(), r.unsigned(), r.unsigned()
	m := config >> 8 & 0xffff
	if m == 0 { // before this was told
		m = vset.DefaultM
	}
	if dim < 1 || dim > vset.MaxDim || config&0xff > uint64(vset.Bin) || m < vset.MinM || m > vset.MaxM {
		r.fail()
		return nil
	}
	p.Dim, p.Quant, p.M = int(dim), vset.Quant(config), int(m)
	if flags&vsetMatrix != 0 {
		input := r.unsigned()
		if input < dim || input > vset.MaxDim {
			r.fail()
			return nil
		}
		p.Input = int(input)
		if matrix := r.moduleText(); r.err == nil && !p.IsMatrix(matrix) {
			r.fail() // vectors that are asked for would be projected otherwise
		}
	}
	v := vset.New(p)
	var name, attr, row []byte
	var last uint64
	for ; n > 0 && r.err == nil; n-- {
		name = append(name[:0], r.moduleText()...)
		if attr = attr[:0]; flags&vsetAttrs != 0 {
			attr = append(attr, r.moduleText()...)
		}
		row = append(row[:0], r.moduleText()...)
		id, length, most := r.vsetPlace()
		if last = max(last, id); r.err == nil && !v.Load(name, attr, row, length, most) {
			r.fail()
		}
	}
	v.Last = max(v.Last, last)
	return v
}

// vsetPlace reads the numbers behind a row.
func (r *Reader) vsetPlace() (id uint64, length, most float32) {
	left := r.unsigned() // how many there are
	next := func() uint64 {
		if left == 0 {
			r.fail()
			return 0
		}
		left--
		return r.unsigned()
	}
	id = next()
	level := next()
	version := level >> 24 & 0xff
	if level &= 0xff; level >= maxLevels || version > 1 {
		r.fail()
	}
	for ; r.err == nil; level-- {
		links, most := next(), next()
		if links > most || most > 4*vset.MaxM {
			r.fail()
		}
		for ; links > 0 && r.err == nil; links-- {
			next()
		}
		if version > 0 {
			next() // the farthest one
		}
		if level == 0 {
			break
		}
	}
	both := next()
	if left != 0 {
		r.fail()
	}
	return id, math.Float32frombits(uint32(both)), math.Float32frombits(uint32(both >> 32))
}

func appendVSet(b []byte, v *vset.Value, put form) ([]byte, error) {
	if 4*v.Dim*v.Input > maxString {
		return b, ErrUnsupported // Redis has it compute and keep that matrix
	}
	number := func(n uint64) { b = appendLength(appendLength(b, moduleUnsigned), n) }
	text := func(s []byte) { b = put(appendLength(b, moduleString), s) }

	b = appendLength(append(b, typeModule), moduleID(vsetName, vsetVersion))
	number(uint64(v.Dim))
	number(uint64(v.Len()))
	number(uint64(v.Quant) | uint64(v.M)<<8)
	flags := uint64(0)
	if v.Input > 0 {
		flags |= vsetMatrix
	}
	if v.Attributes() > 0 {
		flags |= vsetAttrs
	}
	number(flags)
	if v.Input > 0 {
		number(uint64(v.Input))
		text(v.AppendMatrix(nil))
	}
	for i, n := range v.Nodes() { // whose IDs count from 1
		text([]byte(n.Name()))
		if flags&vsetAttrs != 0 {
			attr, _ := n.Attr()
			text([]byte(attr))
		}
		row, length, most := n.Raw()
		text(row)
		count := 3
		for _, to := range n.Links {
			count += 2 + len(to)
		}
		number(uint64(count))
		number(uint64(i) + 1)
		number(uint64(len(n.Links) - 1)) // of version 0, which leaves the farthest to be computed
		for level, to := range n.Links {
			number(uint64(len(to)))
			most := v.M
			if level == 0 {
				most *= 2
			}
			number(uint64(max(len(to), most)))
			for _, x := range to {
				number(uint64(x) + 1)
			}
		}
		number(uint64(math.Float32bits(length)) | uint64(math.Float32bits(most))<<32)
	}
	return appendLength(b, moduleEnd), nil
}
