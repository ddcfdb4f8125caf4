package squeeze

import (
	"errors"
	"slices"

	"github.com/klauspost/compress/zstd"
)

const (
	minDictionary  = 1 << 10
	minSamples     = 32 // values, below which there is nothing to learn
	samplesPerDict = 4  // bytes of samples for each byte of dictionary
	minGain        = 32 // a dictionary is adopted if it makes values smaller by 1/minGain
	holdOut        = 4  // one value in holdOut judges and is not learned from
)

// ErrTooManyGenerations says that values of all 255 dictionaries are still
// about. Compress those that are Stale again.
var ErrTooManyGenerations = errors.New("squeeze: too many generations of dictionaries in use")

// Train makes a dictionary of the samples. It becomes the newest generation if
// it compresses some of them, which were kept out of it, noticeably better than
// the one in use; else, or with too few samples, Train returns false. It takes
// about 100 ms of CPU time for 2 MB of samples.
func (c *Codec) Train() (adopted bool, err error) {
	c.train.Lock()
	defer c.train.Unlock()
	samples := c.samples.snapshot()
	var learn, judge [][]byte
	bytes := 0
	for i, b := range samples {
		if i%holdOut == 0 {
			judge = append(judge, b)
		} else {
			learn = append(learn, b)
			bytes += len(b)
		}
	}
	size := min(c.o.DictionarySize, bytes/samplesPerDict)
	if len(samples) < minSamples || size < minDictionary {
		return false, nil
	}
	id, ok := c.freeID()
	if !ok {
		return false, ErrTooManyGenerations
	}
	content := cover(learn, size)
	if len(content) < minDictionary/2 {
		return false, nil
	}
	dictionary, err := zstd.BuildDict(zstd.BuildDictOptions{
		ID:       uint32(id),
		Contents: learn,
		History:  content,
		Offsets:  [3]int{1, 4, 8},
		Level:    c.o.Level,
	})
	if err != nil {
		return false, nil // samples without a repetition: no dictionary helps
	}
	g, err := c.newGeneration(id, dictionary)
	if err != nil {
		return false, err
	}
	old := c.current.Load()
	before, after := old.measure(judge), g.measure(judge)
	if after > before-before/minGain {
		return false, nil
	}
	g.refs.Store(1)
	c.generations[id].Store(g)
	c.current.Store(g)
	old.retire()
	c.drop(old)
	return true, nil
}

// retire lets the encoders' tables go.
func (g *generation) retire() {
	for i := range g.encoders {
		l := &g.encoders[i]
		l.Lock()
		l.coder = nil
		l.Unlock()
	}
}

// freeID finds a number that no value refers to, after the current one.
func (c *Codec) freeID() (uint8, bool) {
	at := int(c.current.Load().id)
	for range maxGenerations {
		if at = (at + 1) % maxGenerations; at != 0 && c.generations[at].Load() == nil {
			return uint8(at), true
		}
	}
	return 0, false
}

// measure is how many bytes the values take when compressed.
func (g *generation) measure(values [][]byte) (sum int) {
	var buf []byte
	for _, v := range values {
		buf = g.compress(slices.Grow(buf[:0], Room(len(v))), v)
		sum += min(len(buf), len(v))
	}
	return sum
}
