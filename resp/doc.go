// Package resp is the wire: it reads commands and writes replies of the Redis
// serialization protocol, versions 2 and 3.
//
//	socket ──► Reader.Fill ──► buffer ──► Reader.Next ──► [][]byte ──► a command
//	                                                                       │
//	socket ◄── session outbox ◄── Writer.Bytes ◄── Writer.Status, Bulk, Map…
//
// [Reader] is an incremental parser. It looks at every byte once, however the
// bytes are cut into packets, and it checks every declared length against
// [Limits] before it reserves anything for it. A violation of the protocol is
// a [ProtocolError]; after one, nothing that follows in the buffer is looked at.
//
// [Writer] appends replies to a byte slice. It knows the protocol version of
// its client and writes each type in the form that version has for it, so a
// command says Map or Double and does not ask who listens.
//
// Texts of error replies stand in one table, errors.go, letter by letter as
// Redis sends them. [ErrorText] turns the errors of lower packages into them.
//
// A Reader and a Writer belong to one session and are not safe for concurrent
// use. The subpackages hold the argument parser, the command table, sessions
// and the server.
package resp
