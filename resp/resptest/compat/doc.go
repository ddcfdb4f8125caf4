// Package compat tests nearcache with the Go clients that applications use. It is
// a module of its own, so that these do not enter the go.mod of the server.
//
//	cd resp/resptest/compat && go test ./...
//
// The tests of the Python clients are in python/ and are started by package
// resptest.
package compat
