//go:build (amd64 || arm64) && !noasm

package store

import "unsafe"

// prefetch brings the cache line at p closer, prefetch2 the next one too. p may
// point anywhere.
//
//go:noescape
func prefetch(p unsafe.Pointer)

//go:noescape
func prefetch2(p unsafe.Pointer)
