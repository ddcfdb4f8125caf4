//go:build race

package hnsw

import "github.com/nearcache/nearcache/index/slot"

const short = true

func init() { slot.HeapArenas = 4 << 20 } // the race detector sees only the heap
