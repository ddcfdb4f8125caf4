package datasets

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Clusters describes a set of vectors like flattened greyscale images of
// clothes or digits: in clusters, smooth, of few degrees of freedom, no
// component below 0 or above 255. It stands in for sets that are too large to
// ship.
//
// Each cluster has a mean and [Clusters.Latent] directions, all of them sums
// of blobs on a square of Dim pixels. A row is its cluster's mean, moved along
// the directions by normally distributed amounts that shrink from one
// direction to the next, with normally distributed noise on each pixel.
type Clusters struct {
	Rows, Dim int
	Clusters  int // 100 if 0
	Latent    int // degrees of freedom in a cluster; 40 if 0
	Seed      uint64
}

// Make makes the rows, in an order that mixes the clusters. The same
// description makes the same rows. [ErrLimit] if they are too many.
func (c Clusters) Make(l Limits) (*Matrix, error) {
	if c.Clusters == 0 {
		c.Clusters = 100
	}
	if c.Latent == 0 {
		c.Latent = 40
	}
	l = l.withDefaults()
	if err := l.check(int64(c.Rows), int64(c.Dim), 4); err != nil {
		return nil, err
	}
	if c.Clusters < 1 || c.Latent < 1 || int64(c.Clusters) > l.MaxBytes/4/int64(c.Dim)/(int64(c.Latent)+1) {
		return nil, fmt.Errorf("%w: %d clusters of %d directions", ErrLimit, c.Clusters, c.Latent)
	}
	r := rand.New(rand.NewPCG(c.Seed, uint64(c.Dim)))
	means, directions := make([][]float32, c.Clusters), make([][]float32, c.Clusters*c.Latent)
	for i := range means {
		means[i] = blobsOf(r, c.Dim, 5, 160)
	}
	for i := range directions {
		directions[i] = blobsOf(r, c.Dim, 3, 60/math.Pow(1+float64(i%c.Latent), 0.3))
	}
	m := &Matrix{Rows: c.Rows, Dim: c.Dim, Data: make([]float32, c.Rows*c.Dim)}
	for i := range c.Rows {
		row, cluster := m.Row(i), r.IntN(c.Clusters)
		copy(row, means[cluster])
		for _, d := range directions[cluster*c.Latent : (cluster+1)*c.Latent] {
			amount := float32(r.NormFloat64())
			for j := range row {
				row[j] += amount * d[j]
			}
		}
		for j := range row {
			// A dark pixel stays dark: images have an empty background.
			row[j] = min(max(row[j]-10+12*float32(r.NormFloat64()), 0), 255)
		}
	}
	return m, nil
}

// blobsOf is an image of n bell-shaped blobs, bright ones and, but for the
// first, as often dark ones.
func blobsOf(r *rand.Rand, dim, n int, height float64) []float32 {
	side := int(math.Ceil(math.Sqrt(float64(dim))))
	v := make([]float32, dim)
	for b := range n {
		x, y := r.Float64()*float64(side), r.Float64()*float64(side)
		wide := (0.06 + 0.14*r.Float64()) * float64(side)
		h := height * (0.5 + r.Float64())
		if b > 0 && r.IntN(2) == 0 {
			h = -h
		}
		for i := range v {
			dx, dy := float64(i%side)-x, float64(i/side)-y
			v[i] += float32(h * math.Exp(-(dx*dx+dy*dy)/(2*wide*wide)))
		}
	}
	return v
}
