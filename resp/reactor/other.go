//go:build !linux || noepoll

package reactor

import (
	"errors"
	"net"
)

// Pool is a number of reactors that share the connections.
type Pool struct{}

// New returns errors.ErrUnsupported: there are no reactors on this system.
func New(int) (*Pool, error) { return nil, errors.ErrUnsupported }

// Adopt returns errors.ErrUnsupported.
func (*Pool) Adopt(net.Conn, func(*Conn) Handler) error { return errors.ErrUnsupported }

// Close does nothing.
func (*Pool) Close() {}

// Conn is a connection of a reactor.
type Conn struct{}

// FD is -1.
func (*Conn) FD() int { return -1 }

// Wake does nothing.
func (*Conn) Wake() {}

// Abort does nothing.
func (*Conn) Abort() {}

// Read returns errors.ErrUnsupported.
func (*Conn) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }

// Write returns errors.ErrUnsupported.
func (*Conn) Write([][]byte) (int, error) { return 0, errors.ErrUnsupported }

// Detach returns errors.ErrUnsupported.
func (*Conn) Detach() (net.Conn, error) { return nil, errors.ErrUnsupported }
