package rdb

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/nearcache/nearcache/store/object"
)

// What stands between the values of a file.
const (
	opTemplate   = 242 // the names of a hash's fields
	opMeta       = 243 // what modules keep of a key; in Valkey slots that move between nodes
	opSlotInfo   = 244
	opFunction   = 245
	opFunctionRC = 246 // of Redis 7.0 before its release
	opModuleAux  = 247
	opIdle       = 248
	opFreq       = 249
	opAux        = 250
	opResizeDB   = 251
	opExpireMs   = 252
	opExpire     = 253
	opSelectDB   = 254
	opEnd        = 255
)

const (
	magic       = "REDIS"
	magicValkey = "VALKEY"
	headerLen   = 9

	// sumSince is the version that brought the checksum.
	sumSince = 5
	// maxDB bounds the numbers of databases: the server says which it has.
	maxDB = 1 << 20
)

// FileError tells where a file is no RDB.
type FileError struct {
	Offset int64  // of the byte that was read last
	Key    []byte // whose value is read, nil between keys
	Err    error  // ErrFormat, ErrSum, io.ErrUnexpectedEOF, or what reading failed with
}

// Error implements error.
func (e *FileError) Error() string {
	if e.Key != nil {
		return fmt.Sprintf("rdb: at byte %d, in the value of key %.100q: %v", e.Offset, e.Key, e.Err)
	}
	return fmt.Sprintf("rdb: at byte %d: %v", e.Offset, e.Err)
}

// Unwrap implements errors' interface.
func (e *FileError) Unwrap() error { return e.Err }

// Errors of files.
var (
	ErrSum     = errors.New("the checksum is not that of the contents")
	ErrVersion = errors.New("a version that is not known")
	ErrMagic   = errors.New("neither REDIS nor VALKEY stands at its beginning")
)

// Kind is a kind of Item.
type Kind uint8

// The kinds of items.
const (
	Key      Kind = iota // a key with its value
	Function             // a library: Text is its code
	Aux                  // a note about the file: Name and Text
	Skipped              // data of a kind that is not read: Name says which. It may be a key's.
)

// Item is a part of a file. Its slices are valid until the next one is read.
type Item struct {
	Kind       Kind
	DB         int
	Key        []byte
	Value      object.Object
	ExpireAt   int64 // Unix ms, 0 for never
	Idle       int64 // seconds without use, -1 where it is not told
	Frequency  int   // of use, 0 to 255, -1 where it is not told
	Name, Text []byte
}

// File reads an RDB file from its beginning. It is for one goroutine. It holds one
// value at a time, and believes no length that the file tells.
type File struct {
	r     Reader
	began bool
	db    int
	err   error
	key   []byte
	text  []byte
}

// NewFile reads a file from a stream, ahead of what it is asked for: see Rest.
func NewFile(src io.Reader) *File { return &File{r: Reader{src: src, sums: true}} }

// Offset is how many bytes have been read.
func (f *File) Offset() int64 { return f.r.Offset() }

// Version is that of the file, once something has been read.
func (f *File) Version() int { return f.r.Version }

// Rest is what follows the file in its stream.
func (f *File) Rest() io.Reader {
	return io.MultiReader(bytes.NewReader(slices.Clone(f.r.buf[f.r.pos:])), f.r.src)
}

// Next reads the next item. At the end it returns io.EOF, when the checksum was
// right. Another error is a *FileError, and all there is from then on.
func (f *File) Next() (it Item, err error) {
	if f.err != nil {
		return Item{}, f.err
	}
	f.key = nil
	if !f.began {
		f.began = true
		err = f.header()
	}
	if err == nil {
		it, err = f.item()
	}
	if err == nil {
		err = f.r.err
	}
	if err != nil {
		if err != io.EOF {
			err = &FileError{f.Offset(), f.key, err}
		}
		f.err = err
		return Item{}, err
	}
	return it, nil
}

func (f *File) header() error {
	b := f.r.next(headerLen)
	if b == nil {
		return f.r.err
	}
	digits := b[len(magic):]
	valkey := string(b[:len(magicValkey)]) == magicValkey
	if valkey {
		digits = b[len(magicValkey):]
	} else if string(b[:len(magic)]) != magic {
		return ErrMagic
	}
	v := 0
	for _, c := range digits {
		if c < '0' || c > '9' {
			return ErrMagic
		}
		v = 10*v + int(c-'0')
	}
	if v < 1 || !Readable(v) || valkey != (v >= versionValkey) {
		return fmt.Errorf("%w: %s", ErrVersion, b)
	}
	f.r.Version = v
	return nil
}

// item reads up to the next item.
func (f *File) item() (Item, error) {
	r := &f.r
	it := Item{Idle: -1, Frequency: -1}
	for r.err == nil {
		switch op := r.Byte(); op {
		case opEnd:
			return it, f.end()
		case opSelectDB:
			n := r.Length()
			if n >= maxDB {
				r.fail()
			}
			f.db = int(n)
		case opResizeDB:
			r.Length()
			r.Length()
		case opSlotInfo:
			r.Length()
			r.Length()
			r.Length()
		case opExpire:
			if b := r.next(4); b != nil {
				it.ExpireAt = littleEndian(b) * 1000
			}
		case opExpireMs:
			it.ExpireAt = r.Millis()
		case opIdle:
			it.Idle = int64(min(r.Length(), math.MaxInt32))
		case opFreq:
			it.Frequency = int(r.Byte())
		case opTemplate:
			r.Template()
		case opAux:
			f.text = append(f.text[:0], r.String()...)
			it.Kind, it.DB, it.Name, it.Text = Aux, f.db, f.text, r.String()
			return it, r.err
		case opFunction:
			it.Kind, it.Text = Function, r.String()
			return it, r.err
		case opModuleAux:
			id := r.Length()
			if r.unsigned(); r.err == nil {
				r.skipModule()
			}
			it.Kind, it.Name = Skipped, fmt.Appendf(nil, "notes of module %s", moduleName(id))
			return it, r.err
		case opMeta:
			if r.Version >= versionValkey {
				r.skipSlotImport()
			} else {
				r.skipMeta()
			}
		case opFunctionRC:
			return it, errors.New("functions of a pre-release of Redis 7.0")
		default:
			return f.value(it, op)
		}
	}
	return it, r.err
}

// value reads a key and its value.
func (f *File) value(it Item, typ byte) (Item, error) {
	r := &f.r
	f.text = append(f.text[:0], r.String()...)
	if r.err != nil {
		return it, r.err
	}
	it.DB, it.Key = f.db, f.text
	f.key = f.text
	var err error
	switch {
	case typ == typeModule:
		id := r.Length()
		it.Value, err = r.module(id)
		switch {
		case errors.Is(err, errModule):
			r.skipModule()
			it.Kind, it.Name, err = Skipped, fmt.Appendf(nil, "a value of module %s", moduleName(id)), r.err
		case err == nil && empty(it.Value):
			it.Kind, it.Name = Skipped, emptyName
		}
	case typ == typeArray:
		r.skipArray()
		it.Kind, it.Name, err = Skipped, []byte("an array"), r.err
	default:
		if it.Value, err = r.Value(typ); errors.Is(err, ErrEmpty) {
			it.Kind, it.Name, err = Skipped, emptyName, nil
		} else if errors.Is(err, errType) {
			err = fmt.Errorf("%w: %d", err, typ)
		}
	}
	return it, err
}

// emptyName is what an empty collection is called, which old versions of Redis
// could write, and pass over.
var emptyName = []byte("a value without elements")

// end reads and compares the checksum.
func (f *File) end() error {
	if f.r.Version < sumSince {
		return io.EOF
	}
	sum := Checksum(f.r.sum, f.r.buf[:f.r.pos])
	f.r.sums = false
	switch got := uint64(f.r.Millis()); {
	case f.r.err != nil:
		return f.r.err
	case got != 0 && got != sum: // 0: rdbchecksum was off
		return ErrSum
	}
	return io.EOF
}
