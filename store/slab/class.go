package slab

// MaxCell is the largest cell in bytes: 16 kB of data and its record's header.
const MaxCell = 16<<10 + 512

const (
	minCell    = 16
	smallStep  = 8   // of cells up to smallCell
	smallCell  = 128 // above it, eight classes to a doubling
	numClasses = (smallCell-minCell)/smallStep + 1 + 7*8 + 1
	maxCells   = 256 // of a run: 4 kB / minCell, the bits of a header
	maxTail    = 32  // a run's tail is at most 1/maxTail of it, if maxRunPages allow
	maxRunPage = 32
)

// class is a size of cells and the runs they lie in.
type class struct {
	size  int    // bytes of a cell
	units uint32 // size/8
	cells uint32 // of a run
	pages uint32 // of a run
	magic uint64 // ceil(2^32/units): distance*magic>>32 is the number of the cell
}

var (
	classes = makeClasses()
	classOf = makeClassOf()
)

func makeClasses() (t [numClasses]class) {
	size := minCell
	for i := range t {
		t[i] = makeClass(size)
		switch {
		case size < smallCell:
			size += smallStep
		case size < 16<<10:
			step := smallCell / 8
			for step*16 <= size {
				step *= 2
			}
			size += step
		default:
			size = MaxCell
		}
	}
	return t
}

// makeClass chooses the smallest run whose tail is small enough, so that a
// heap with few cells takes little.
func makeClass(size int) class {
	best, bestTail := 0, 1.0
	for p := 1; p <= maxRunPage; p++ {
		run := p * pageSize
		if run < size || run/size > maxCells {
			continue
		}
		if tail := float64(run%size) / float64(run); tail < bestTail {
			best, bestTail = p, tail
			if tail <= 1.0/maxTail {
				break
			}
		}
	}
	u := uint64(size / 8)
	return class{
		size:  size,
		units: uint32(u),
		cells: uint32(best * pageSize / size),
		pages: uint32(best),
		magic: (1<<32 + u - 1) / u,
	}
}

// makeClassOf makes the table from (n+7)/8 to the class of n bytes.
func makeClassOf() (t [MaxCell/8 + 1]uint8) {
	c := 0
	for i := range t {
		if i*8 > classes[c].size {
			c++
		}
		t[i] = uint8(c)
	}
	return t
}

// Cell is the size of the cell that n bytes get, 0 <= n <= MaxCell.
func Cell(n int) int { return classes[classOf[uint(n+7)>>3]].size }
