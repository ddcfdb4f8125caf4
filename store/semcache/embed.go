package semcache

import (
	"context"
	"encoding/binary"
	"math"
)

// Embedder turns texts into vectors. It is called by many goroutines at once, often for
// the same text, and so remembers what it has made.
type Embedder interface {
	// Embed returns a vector of Dim components for each text, in their order.
	Embed(ctx context.Context, texts []string) ([][]float32, error)
	Dim() int     // 0 while it is not known
	Name() string // as SEM.CREATE's EMBED names it
}

// Blob is a vector as it is stored, and as it stands in commands: float32,
// little-endian.
func Blob(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}
