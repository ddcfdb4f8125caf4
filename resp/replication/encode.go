package replication

import (
	"strconv"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/store"
)

const (
	wordsMulti = "*1\r\n$5\r\nMULTI\r\n"
	wordsExec  = "*1\r\n$4\r\nEXEC\r\n"
	// selectSize is the most that SELECT takes.
	selectSize = len("*2\r\n$6\r\nSELECT\r\n$20\r\n\r\n") + 20
)

// sizeOf is at least as many bytes as the effects of a commit take.
func sizeOf(effects []store.Effect) (n int) {
	for i := range effects {
		if n += resp.CommandSize(effects[i].Args); i > 0 && effects[i].DB != effects[i-1].DB {
			n += selectSize
		}
	}
	if len(effects) > 1 {
		n += len(wordsMulti) + len(wordsExec)
	}
	return n
}

// appendEffects appends the effects of a commit, which begins in the database of the first.
func appendEffects(b []byte, effects []store.Effect) []byte {
	if len(effects) > 1 {
		b = append(b, wordsMulti...)
	}
	for i := range effects {
		if i > 0 && effects[i].DB != effects[i-1].DB {
			b = appendSelect(b, effects[i].DB)
		}
		b = appendCommand(b, effects[i].Args)
	}
	if len(effects) > 1 {
		b = append(b, wordsExec...)
	}
	return b
}

// AppendCommand appends a command in RESP.
func AppendCommand(b []byte, args ...[]byte) []byte { return appendCommand(b, args) }

func appendSelect(b []byte, db int) []byte {
	var digits [20]byte
	n := strconv.AppendInt(digits[:0], int64(db), 10)
	b = append(b, "*2\r\n$6\r\nSELECT\r\n"...)
	return appendArg(b, n)
}

func appendCommand(b []byte, args [][]byte) []byte {
	b = strconv.AppendInt(append(b, '*'), int64(len(args)), 10)
	b = append(b, '\r', '\n')
	for _, a := range args {
		b = appendArg(b, a)
	}
	return b
}

func appendArg(b, a []byte) []byte {
	b = strconv.AppendInt(append(b, '$'), int64(len(a)), 10)
	b = append(append(b, '\r', '\n'), a...)
	return append(b, '\r', '\n')
}
