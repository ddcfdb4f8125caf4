//go:build !(amd64 || arm64) || noasm

package store

import "unsafe"

func prefetch(unsafe.Pointer)  {}
func prefetch2(unsafe.Pointer) {}
