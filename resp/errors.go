package resp

import "errors"

// Error is an error reply with its full text, code first: "ERR syntax error".
// Two Errors of the same text are the same error.
type Error string

func (e Error) Error() string { return string(e) }

// ProtocolError is a violation of the protocol by the client. The session
// answers ErrorText of it and closes the connection.
type ProtocolError string

func (e ProtocolError) Error() string { return "Protocol error: " + string(e) }

// ErrQueryLimit is what Reader.Fill returns when an incomplete command has
// outgrown Limits.MaxQuery. As Redis does, the session closes the connection
// without a reply.
var ErrQueryLimit = errors.New("resp: query buffer limit exceeded")

// Texts of Redis, letter by letter.
const (
	ErrSyntax        Error = "ERR syntax error"
	ErrNotInt        Error = "ERR value is not an integer or out of range"
	ErrNotFloat      Error = "ERR value is not a valid float"
	ErrOutOfRange    Error = "ERR value is out of range"
	ErrNotPositive   Error = "ERR value is out of range, must be positive"
	ErrOverflow      Error = "ERR increment or decrement would overflow"
	ErrNaNOrInf      Error = "ERR increment would produce NaN or Infinity"
	ErrNoSuchKey     Error = "ERR no such key"
	ErrSameObject    Error = "ERR source and destination objects are the same"
	ErrIndexRange    Error = "ERR index out of range"
	ErrInvalidCursor Error = "ERR invalid cursor"
	ErrDBIndex       Error = "ERR DB index is out of range"
	ErrStringSize    Error = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"

	ErrWrongType Error = "WRONGTYPE Operation against a key holding the wrong kind of value"
	ErrNoAuth    Error = "NOAUTH Authentication required."
	ErrWrongPass Error = "WRONGPASS invalid username-password pair or user is disabled."
	ErrNoProto   Error = "NOPROTO unsupported protocol version"
	ErrExecAbort Error = "EXECABORT Transaction discarded because of previous errors."
	ErrOOM       Error = "OOM command not allowed when used memory > 'maxmemory'."
	ErrLoading   Error = "LOADING Redis is loading the dataset in memory"
	ErrNoScript  Error = "NOSCRIPT No matching script. Please use EVAL."
	ErrBusyKey   Error = "BUSYKEY Target key name already exists."
	ErrReadOnly  Error = "READONLY You can't write against a read only replica."
)

// sentinels maps the errors of lower packages to the text of their reply. The
// first row that errors.Is accepts wins.
var sentinels = []struct {
	Err  error
	Text string
}{}

// ErrorText returns the full text of the reply for err: the text of an Error,
// the row of a lower package's sentinel, or "ERR " and the error's own text.
func ErrorText(err error) string {
	var e Error
	if errors.As(err, &e) {
		return string(e)
	}
	for _, s := range sentinels {
		if errors.Is(err, s.Err) {
			return s.Text
		}
	}
	return "ERR " + err.Error()
}
