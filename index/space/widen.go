package space

import (
	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/kernel"
)

// widen writes halves of an element type as float32. dst is as long as src.
func widen(dst []float32, src []uint16, e index.Element) {
	n := widenFast(dst, src, e)
	dst, src = dst[n:len(src)], src[n:]
	if e == index.Float16 {
		for i, h := range src {
			dst[i] = kernel.Float16(h)
		}
		return
	}
	for i, h := range src {
		dst[i] = kernel.BFloat16(h)
	}
}
