//go:build race

package vset

import "github.com/nearcache/nearcache/index/slot"

const slow = 5

// One stands for all: the detector looks at the order of accesses, not at what is read.
var quants = []Quant{Q8}

func init() { slot.HeapArenas = 4 << 20 } // the race detector sees only the heap
