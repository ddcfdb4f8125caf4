package rdb

import "fmt"

// What is in files and is not read is passed over: data of modules that are not
// here, arrays, and what nodes of a cluster tell each other.

// moduleName is the name in a module's ID, with its version.
func moduleName(id uint64) string {
	var name [9]byte
	for i := range name {
		name[i] = moduleLetters[id>>(10+6*(8-i))&63]
	}
	return fmt.Sprintf("%s (version %d)", name[:], id&1023)
}

// skipModule passes over the parts of a module's data up to their end.
func (r *Reader) skipModule() {
	for r.err == nil {
		switch r.Length() {
		case moduleEnd:
			return
		case moduleSigned, moduleUnsigned:
			r.Length()
		case moduleFloat:
			r.next(4)
		case moduleDouble:
			r.next(8)
		case moduleString:
			r.String()
		default:
			r.fail()
		}
	}
}

// skipMeta passes over what modules keep of a key.
func (r *Reader) skipMeta() {
	for n := r.count(); n > 0 && r.err == nil; n-- {
		r.next(4) // the name, four letters of six bits, its version, and flags
		r.skipModule()
	}
}

// skipSlotImport passes over what a node of Valkey knows of slots that are on their
// way to it.
func (r *Reader) skipSlotImport() {
	r.String()
	for n := r.count(); n > 0 && r.err == nil; n-- {
		r.Length()
		r.Length()
	}
}

// The elements of arrays.
const (
	arrayString = iota
	arrayInt
	arrayFloat
	arrayShort
)

func (r *Reader) skipArray() {
	n := r.count()
	switch r.Length() { // where the next insertion goes
	case 0:
	case 1:
		r.Length()
	default:
		r.fail()
	}
	for ; n > 0 && r.err == nil; n-- {
		r.Length() // the place
		switch r.Length() {
		case arrayString, arrayShort:
			r.String()
		case arrayInt, arrayFloat:
			r.next(8)
		default:
			r.fail()
		}
	}
}
