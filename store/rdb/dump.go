package rdb

import (
	"encoding/binary"
	"errors"

	"github.com/nearcache/nearcache/store/object"
)

// ErrChecksum is what Restore returns for a payload of a version that is not
// known, or with another checksum than it says.
var ErrChecksum = errors.New("rdb: version or checksum are wrong")

// footerLen is the length of version and checksum.
const footerLen = 2 + 8

// Dump appends the payload of a value: what DUMP answers.
func Dump(b []byte, o object.Object) ([]byte, error) { return DumpFor(b, o, Version) }

// DumpFor is Dump for a reader of a version: 10 is Redis 7.0, 11 is 7.2. A value with
// something that the version lacks is ErrUnsupported.
func DumpFor(b []byte, o object.Object, newest int) ([]byte, error) {
	from := len(b)
	b, version, err := AppendFor(b, o, newest)
	if err != nil {
		return b[:from], err
	}
	return Seal(b, from, version), nil
}

// Seal appends the footer of a payload that begins at from: its version and
// checksum.
func Seal(b []byte, from, version int) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(version))
	return binary.LittleEndian.AppendUint64(b, Checksum(0, b[from:]))
}

// Restore makes a value of a payload. The value is a copy.
func Restore(payload []byte) (object.Object, error) {
	r, err := Open(payload)
	if err != nil {
		return nil, err
	}
	return r.Value(r.Byte())
}

// Open checks the footer of a payload and returns a reader of what is before it.
// Redis takes a checksum of 0 for none; here it has to be right, as a payload
// comes from anywhere.
func Open(payload []byte) (*Reader, error) {
	n := len(payload)
	if n < footerLen {
		return nil, ErrChecksum
	}
	version := int(binary.LittleEndian.Uint16(payload[n-footerLen:]))
	sum := binary.LittleEndian.Uint64(payload[n-8:])
	if !Readable(version) || sum != Checksum(0, payload[:n-8]) {
		return nil, ErrChecksum
	}
	r := NewReader(payload[:n-footerLen])
	r.Version = version
	return r, nil
}

// Readable reports whether a version is read: those of Redis, and of Valkey since
// it has its own.
func Readable(version int) bool {
	return version <= Version || version >= versionValkey && version <= versionValkeyMax
}
