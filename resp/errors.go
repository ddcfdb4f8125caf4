package resp

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/json"
)

// Error is an error reply with its full text, code first: "ERR syntax error".
// Two Errors of the same text are the same error.
type Error string

func (e Error) Error() string { return string(e) }

// ProtocolError is a violation of the protocol by the client. The session
// answers with its ErrorText and closes the connection.
type ProtocolError string

func (e ProtocolError) Error() string { return "Protocol error: " + string(e) }

// ErrQueryLimit is what Reader.Fill returns when an incomplete command has
// outgrown Limits.MaxQuery. As Redis does, the session closes the connection
// without a reply.
var ErrQueryLimit = errors.New("resp: query buffer limit exceeded")

// The texts of Redis 8, letter by letter.
const (
	// Of any command.
	ErrWrongType   Error = "WRONGTYPE Operation against a key holding the wrong kind of value"
	ErrSyntax      Error = "ERR syntax error"
	ErrNotInt      Error = "ERR value is not an integer or out of range"
	ErrNotFloat    Error = "ERR value is not a valid float"
	ErrOutOfRange  Error = "ERR value is out of range"
	ErrNotPositive Error = "ERR value is out of range, must be positive"
	ErrNoSuchKey   Error = "ERR no such key"
	ErrSameObject  Error = "ERR source and destination objects are the same"
	ErrIndexRange  Error = "ERR index out of range"
	ErrCursor      Error = "ERR invalid cursor"
	ErrDBIndex     Error = "ERR DB index is out of range"
	ErrBusyKey     Error = "BUSYKEY Target key name already exists."
	ErrTimeout     Error = "ERR timeout is not a float or out of range"
	ErrTimeoutNeg  Error = "ERR timeout is negative"

	// Of numbers in values.
	ErrOverflow     Error = "ERR increment or decrement would overflow"
	ErrDecrOverflow Error = "ERR decrement would overflow"
	ErrNaNOrInf     Error = "ERR increment would produce NaN or Infinity"
	ErrOffset       Error = "ERR offset is out of range"
	ErrStringSize   Error = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
	ErrHashInt      Error = "ERR hash value is not an integer"
	ErrHashFloat    Error = "ERR hash value is not a float"
	ErrValueNaN     Error = "ERR value is NaN or Infinity"

	// Of the EXPIRE family.
	ErrExpireNX       Error = "ERR NX and XX, GT or LT options at the same time are not compatible"
	ErrExpireGTLT     Error = "ERR GT and LT options at the same time are not compatible"
	ErrExpireNegative Error = "ERR invalid expire time, must be >= 0"

	// Of the connection.
	ErrNoAuth         Error = "NOAUTH Authentication required."
	ErrHelloNoAuth    Error = "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
	ErrWrongPass      Error = "WRONGPASS invalid username-password pair or user is disabled."
	ErrNoPassword     Error = "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"
	ErrNoProto        Error = "NOPROTO unsupported protocol version"
	ErrProtoNotInt    Error = "ERR Protocol version is not an integer or out of range"
	ErrClientName     Error = "ERR Client names cannot contain spaces, newlines or special characters."
	ErrClientID       Error = "ERR Invalid client ID"
	ErrNoSuchClient   Error = "ERR No such client"
	ErrRedirectID     Error = "ERR The client ID you want redirect to does not exist"
	ErrRedirectSingle Error = "ERR A client can only redirect to a single other client"
	ErrCachingMode    Error = "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled"
	ErrCachingYes     Error = "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."
	ErrCachingNo      Error = "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."
	ErrMaxClients     Error = "ERR max number of clients reached"

	// Of transactions.
	ErrNestedMulti         Error = "ERR MULTI calls can not be nested"
	ErrExecWithoutMulti    Error = "ERR EXEC without MULTI"
	ErrDiscardWithoutMulti Error = "ERR DISCARD without MULTI"
	ErrWatchInMulti        Error = "ERR WATCH inside MULTI is not allowed"
	ErrInMulti             Error = "ERR Command not allowed inside a transaction"
	ErrExecAbort           Error = "EXECABORT Transaction discarded because of previous errors."

	// Of the server's state.
	ErrOOM        Error = "OOM command not allowed when used memory > 'maxmemory'."
	ErrLoading    Error = "LOADING Redis is loading the dataset in memory"
	ErrBusy       Error = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
	ErrReadOnly   Error = "READONLY You can't write against a read only replica."
	ErrMasterDown Error = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
	ErrNoReplicas Error = "NOREPLICAS Not enough good replicas to write."
	ErrMisconfRDB Error = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error."
	ErrNoScript   Error = "NOSCRIPT No matching script. Please use EVAL."
	ErrNoFile     Error = "ERR The server is running without a config file"
	ErrPolicyLFU  Error = "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
	ErrPolicyLHD  Error = "ERR An LHD maxmemory policy is selected, idle time not tracked. Its clock is that of insertions; OBJECT FREQ tells how often a key was used."
	ErrPolicyLRU  Error = "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."

	// Of documents. Those that do not begin with a code are so in RedisJSON.
	ErrJSONType     Error = "Existing key has wrong Redis type"
	ErrJSONNoKey    Error = "ERR could not perform this operation on a key that doesn't exist"
	ErrJSONRoot     Error = "ERR new objects must be created at the root"
	ErrJSONPath     Error = "ERR Path does not exist"
	ErrJSONStatic   Error = "ERR wrong static path"
	ErrJSONBounds   Error = "ERR index out of bounds"
	ErrJSONDepth    Error = "ERR recursion limit exceeded"
	ErrJSONOverflow Error = "ERR numeric overflow"
	ErrJSONNaN      Error = "ERR result is not a number"
	ErrJSONReadOnly Error = "ERR a path that computes a value can only be read"
	ErrJSONSize     Error = "ERR the document would be larger than 1 GB"
	ErrJSONEffort   Error = "ERR the path visits too many values"

	// Of COMMAND.
	ErrBadCommand    Error = "ERR Invalid command specified"
	ErrBadArgCount   Error = "ERR Invalid number of arguments specified for command"
	ErrNoKeyArgument Error = "ERR The command has no key arguments"
)

// sentinels maps the errors of lower packages to the text of their reply. The
// first row that errors.Is accepts wins.
var sentinels = []struct {
	Err  error
	Text Error
}{
	{store.ErrWrongType, ErrWrongType},
	{store.ErrOutOfMemory, ErrOOM},
	{json.ErrDepth, ErrJSONDepth},
	{json.ErrTooLarge, ErrJSONSize},
	{json.ErrEffort, ErrJSONEffort},
}

// ErrorText returns the full text of the reply for err: that of an Error, that
// of a lower package's sentinel, or "ERR " and the error's own text.
func ErrorText(err error) string {
	var e Error
	if errors.As(err, &e) {
		return string(e)
	}
	for _, s := range sentinels {
		if errors.Is(err, s.Err) {
			return string(s.Text)
		}
	}
	return "ERR " + err.Error()
}

// WrongArgs is the error for a wrong number of arguments. The name is the
// command's full name in lower case, as in "get" or "client|kill".
func WrongArgs(name string) Error {
	return Error("ERR wrong number of arguments for '" + name + "' command")
}

// ExpireTime is the error for a TTL that is no valid time, by the command's full
// name.
func ExpireTime(name string) Error {
	return Error("ERR invalid expire time in '" + name + "' command")
}

// OutOfRange is the error for an integer outside of lo to hi.
func OutOfRange(lo, hi int64) Error {
	return Error(fmt.Sprintf("ERR value is out of range, value must between %d and %d", lo, hi))
}

// InSubscribeMode is the error for a command, by its full name, that a RESP2
// client may not send while it is subscribed.
func InSubscribeMode(name string) Error {
	return Error("ERR Can't execute '" + name + "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context")
}

// errorCut is how many bytes of what a client sent Redis repeats in an error.
const errorCut = 128

// ExecAbort is the error of an EXEC that is refused as a whole because of err.
func ExecAbort(err error) Error {
	return Error("EXECABORT Transaction discarded because of: " + strings.TrimPrefix(ErrorText(err), "ERR "))
}

// UnknownCommand is the error for a command that does not exist. It repeats the
// beginning of argv: 128 bytes of the name, and about as many of the arguments.
func UnknownCommand(argv [][]byte) Error {
	b := append([]byte("ERR unknown command '"), cut(argv[0], errorCut)...)
	b = append(b, '\'')
	if len(argv) > 1 {
		b = append(b, ", with args beginning with: "...)
		for i, from := 1, len(b); i < len(argv) && len(b)-from < errorCut; i++ {
			arg := cut(argv[i], errorCut-(len(b)-from))
			b = append(b, '\'')
			b = append(b, arg...)
			b = append(b, "' "...)
		}
	}
	return Error(b)
}

// UnknownSubcommand is the error for the second word of argv, when the first
// names a container of commands; or for its absence.
func UnknownSubcommand(argv [][]byte) Error {
	help := ". Try " + strings.ToUpper(string(cut(argv[0], errorCut))) + " HELP."
	if len(argv) < 2 {
		return Error("ERR missing subcommand" + help)
	}
	return Error("ERR unknown subcommand '" + string(cut(argv[1], errorCut)) + "'" + help)
}

// UnknownOption is the error of CLIENT, HELLO and others for a word they do not
// know; what is the text up to the word, as in "Unrecognized option".
func UnknownOption(what string, word []byte) Error {
	return Error("ERR " + what + " '" + string(cut(word, errorCut)) + "'")
}

// cut returns the first n bytes of b, or less up to a NUL, where a C string ends.
func cut(b []byte, n int) []byte {
	b = b[:min(n, len(b))]
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return b
}
