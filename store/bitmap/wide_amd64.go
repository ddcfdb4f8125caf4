//go:build !noasm

package bitmap

import "golang.org/x/sys/cpu"

var (
	hasAVX2   = cpu.X86.HasAVX2
	hasAVX512 = cpu.X86.HasAVX512F && cpu.X86.HasAVX512VPOPCNTDQ
)

// wide is how many of n bytes, beginning with the first, are left to assembly.
func wide(n int) int {
	if hasAVX2 {
		return n &^ 127
	}
	return 0
}

func countWide(s *byte, n int) int64 {
	if hasAVX512 {
		return countAVX512(s, n)
	}
	return countAVX2(s, n)
}

//go:noescape
func andAVX2(d, s *byte, n int)

//go:noescape
func orAVX2(d, s *byte, n int)

//go:noescape
func xorAVX2(d, s *byte, n int)

//go:noescape
func andNotAVX2(d, s *byte, n int)

//go:noescape
func notAndAVX2(d, s *byte, n int)

//go:noescape
func orAndAVX2(d, x, y *byte, n int)

//go:noescape
func notAVX2(d, s *byte, n int)

//go:noescape
func oneAVX2(d *byte, s *[]byte, k, n int)

//go:noescape
func countAVX2(s *byte, n int) int64

//go:noescape
func countAVX512(s *byte, n int) int64
