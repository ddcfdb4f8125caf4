package stream

import (
	"encoding/binary"
	"math/bits"
)

// RadixNodes is what XINFO STREAM calls radix-tree-nodes: the number of nodes of
// the radix tree that Redis keeps over the same blocks. After blocks were removed
// Redis may have a few more: its tree is not always packed again. It is counted
// anew when a block has come or gone.
func (v *Value) RadixNodes() int {
	if v.nodes == 0 {
		v.nodes = v.countNodes()
	}
	return v.nodes
}

// countNodes counts a node for each place where keys part, and for each run of
// bytes between two of these or behind the last. What belongs to a key stands in
// the node before.
func (v *Value) countNodes() int {
	if v.blocks == 0 {
		return 1
	}
	const depth = 16 // of a key's end
	n := 0
	edge := func(from, to int) {
		if to-from > 1 { // the first byte is the branch's
			n++
		}
	}
	var open [depth]int // depths of the branches on the way to the last key
	top := 0
	var last [depth]byte
	for _, leaf := range v.leaves {
		for i := range leaf {
			k := leaf[i].first.bytes()
			if i == 0 && &leaf[0] == &v.leaves[0][0] {
				last = k
				continue
			}
			shared, child := common(last, k), depth
			for ; top > 0 && open[top-1] > shared; top-- {
				edge(open[top-1], child)
				child = open[top-1]
			}
			if top == 0 || open[top-1] < shared {
				open[top] = shared
				top++
				n++
			}
			edge(shared, child)
			last = k
		}
	}
	child := depth
	for ; top > 0; top-- {
		edge(open[top-1], child)
		child = open[top-1]
	}
	edge(-1, child) // all of the root's bytes are a run
	return n
}

func (id ID) bytes() (b [16]byte) {
	binary.BigEndian.PutUint64(b[:], id.Ms)
	binary.BigEndian.PutUint64(b[8:], id.Seq)
	return b
}

// common is the number of bytes that two IDs begin with together.
func common(a, b [16]byte) int {
	for i := range 2 {
		x := binary.BigEndian.Uint64(a[8*i:]) ^ binary.BigEndian.Uint64(b[8*i:])
		if x != 0 {
			return 8*i + bits.LeadingZeros64(x)/8
		}
	}
	return 16
}
