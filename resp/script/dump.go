package script

import (
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/store/rdb"
)

// The payload of FUNCTION DUMP is that of Redis' RDB files: for each library an
// opcode and its code as a string.

const (
	opFunction = 245
	opPreGA    = 246
	// dumpVersion is the version of RDB that is written, that of Redis 8.0.
	dumpVersion = 12
)

const (
	errDump        = resp.Error("ERR DUMP payload version or checksum are wrong")
	errNotFunction = resp.Error("ERR given type is not a function")
	errPreGA       = resp.Error("ERR Pre-GA function format not supported")
	errDumpCode    = resp.Error("ERR Failed loading library payload")
)

// Dump serialises all libraries.
func (e *Engine) Dump() []byte {
	var b []byte
	for _, lib := range e.Libraries() {
		b = rdb.AppendString(append(b, opFunction), []byte(lib.Code))
	}
	return rdb.Seal(b, 0, dumpVersion)
}

// readDump returns the codes of the libraries in a payload.
func readDump(payload []byte) (codes []string, err error) {
	r, err := rdb.Open(payload)
	if err != nil {
		return nil, errDump
	}
	for r.More() {
		switch r.Byte() {
		case opFunction:
		case opPreGA:
			return nil, errPreGA
		default:
			return nil, errNotFunction
		}
		code := string(r.String())
		if r.Err() != nil {
			return nil, errDumpCode
		}
		codes = append(codes, code)
	}
	return codes, nil
}
