//go:build !amd64 || noasm

package bitmap

// wide leaves nothing to the functions below.
func wide(int) int { return 0 }

func andAVX2(_, _ *byte, _ int)        {}
func orAVX2(_, _ *byte, _ int)         {}
func xorAVX2(_, _ *byte, _ int)        {}
func andNotAVX2(_, _ *byte, _ int)     {}
func notAndAVX2(_, _ *byte, _ int)     {}
func orAndAVX2(_, _, _ *byte, _ int)   {}
func notAVX2(_, _ *byte, _ int)        {}
func oneAVX2(*byte, *[]byte, int, int) {}
func countWide(*byte, int) int64       { return 0 }
