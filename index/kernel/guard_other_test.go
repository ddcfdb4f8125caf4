//go:build !unix

package kernel

func newGuard(size int) []byte { return make([]byte, size) }
