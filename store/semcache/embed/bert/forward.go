package bert

import (
	"context"
	"errors"
	"math"
	"unsafe"

	"github.com/nearcache/nearcache/index/kernel"
)

// work is the memory for one text of n pieces. Matrices have a row for each
// piece, without gaps.
type work struct {
	n, padded int // padded: n, up to the multiple that the kernels want
	slots     []uint32
	x, q, k   []float32
	mixed, y  []float32
	values    []float32 // transposed: a row for each component, a number for each piece
	weights   []float32 // of one piece for all, in one head
	inner     []float32
}

// lane is how many numbers of a row the kernels take at once.
const lane = kernel.RowAlign / 4

func (m *Model) newWork(n int) *work {
	w := &work{n: n, padded: (n + lane - 1) / lane * lane}
	w.slots = make([]uint32, max(m.hidden, m.inner, n))
	for i := range w.slots {
		w.slots[i] = uint32(i)
	}
	size := n * m.hidden
	buf := make([]float32, 5*size+w.padded*m.hidden+w.padded+n*m.inner)
	take := func(n int) (v []float32) { v, buf = buf[:n:n], buf[n:]; return v }
	w.x, w.q, w.k, w.mixed, w.y = take(size), take(size), take(size), take(size), take(size)
	w.values, w.weights, w.inner = take(w.padded*m.hidden), take(w.padded), take(n*m.inner)
	return w
}

// errOverflow is a model whose weights are not meant for this arithmetic.
var errOverflow = errors.New("the model computes numbers beyond float32")

func (m *Model) embed(ctx context.Context, text string) ([]float32, error) {
	ids := m.tok.encode(nil, text, m.limit)
	w := m.newWork(len(ids))
	for i, id := range ids {
		row := w.x[i*m.hidden : (i+1)*m.hidden]
		copy(row, m.words[int(id)*m.hidden:])
		add(row, m.positions[i*m.hidden:])
	}
	m.normalize(w.x, m.first)
	for i := range m.layers {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m.attend(w, &m.layers[i])
		m.feed(w, &m.layers[i])
	}
	out := make([]float32, m.hidden)
	rows := w.n
	if !m.mean {
		rows = 1
	}
	for i := range rows {
		add(out, w.x[i*m.hidden:])
	}
	if !kernel.Finite32(out) {
		return nil, errOverflow
	}
	kernel.Normalize32(out)
	return out, nil
}

// attend mixes into each piece what it looks for in the others.
func (m *Model) attend(w *work, l *layer) {
	m.apply(w, &l.query, w.q, w.x)
	m.apply(w, &l.key, w.k, w.x)
	m.apply(w, &l.value, w.y, w.x)
	for i := range w.n {
		for c, v := range w.y[i*m.hidden : (i+1)*m.hidden] {
			w.values[c*w.padded+i] = v
		}
	}
	size := m.hidden / m.heads
	scale := float32(1 / math.Sqrt(float64(size)))
	for h := range m.heads {
		at := h * size
		for i := range w.n {
			m.rows(w, w.weights, w.q[i*m.hidden+at:], w.k[at:], w.n, m.hidden, size)
			softmax(w.weights[:w.n], scale)
			m.rows(w, w.mixed[i*m.hidden+at:], w.weights, w.values[at*w.padded:], size, w.padded, w.padded)
		}
	}
	m.apply(w, &l.output, w.y, w.mixed)
	add(w.x, w.y)
	m.normalize(w.x, l.afterAttention)
}

// feed takes each piece through the wide part.
func (m *Model) feed(w *work, l *layer) {
	m.apply(w, &l.up, w.inner, w.x)
	for i, x := range w.inner {
		w.inner[i] = m.act(x)
	}
	m.apply(w, &l.down, w.y, w.inner)
	add(w.x, w.y)
	m.normalize(w.x, l.afterFeed)
}

// rows writes to dst the products of q with each of n rows of the matrix, of
// which row i begins at i*stride and size numbers take part.
func (m *Model) rows(w *work, dst, q, matrix []float32, n, stride, size int) {
	m.dot(unsafe.Pointer(&dst[:n][0]), unsafe.Pointer(&q[:size][0]), unsafe.Pointer(&matrix[:(n-1)*stride+size][0]),
		&w.slots[:n][0], n, 4*stride, 4*size)
}

// block is how many bytes of a matrix are taken through all pieces at a time: with the
// rows of the pieces they stay in the first level of the cache.
const block = 24 << 10

// apply writes to dst the linear map of each row of src.
func (m *Model) apply(w *work, l *linear, dst, src []float32) {
	step := max(block/(4*l.in)&^3, 4)
	for at := 0; at < l.out; at += step {
		n := min(step, l.out-at)
		for i := range w.n {
			m.rows(w, dst[i*l.out+at:], src[i*l.in:], l.w[at*l.in:], n, l.in, l.in)
		}
	}
	for i := range w.n {
		add(dst[i*l.out:(i+1)*l.out], l.b)
	}
}

func add(dst, v []float32) {
	v = v[:len(dst)]
	for i := range dst {
		dst[i] += v[i]
	}
}

// normalize gives each row the mean 0 and the variance 1, then the scale and shift learned.
func (m *Model) normalize(x []float32, n normal) {
	for ; len(x) > 0; x = x[m.hidden:] {
		row := x[:m.hidden]
		var sum float32
		for _, v := range row {
			sum += v
		}
		mean := sum / float32(m.hidden)
		var square float32
		for _, v := range row {
			square += (v - mean) * (v - mean)
		}
		f := float32(1 / math.Sqrt(float64(square)/float64(m.hidden)+m.eps))
		for i, v := range row {
			row[i] = (v-mean)*f*n.scale[i] + n.shift[i]
		}
	}
}

func softmax(v []float32, scale float32) {
	top := v[0]
	for _, x := range v {
		top = max(top, x)
	}
	var sum float32
	for i, x := range v {
		v[i] = float32(math.Exp(float64((x - top) * scale)))
		sum += v[i]
	}
	f := 1 / sum
	for i := range v {
		v[i] *= f
	}
}

// activations are the functions between the two maps of the wide part.
var activations = map[string]func(float32) float32{
	"gelu": gelu,
	"relu": func(x float32) float32 { return max(x, 0) },
	"gelu_new": func(x float32) float32 {
		y := float64(x)
		return float32(y / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(y+0.044715*y*y*y))))
	},
}

// geluSteps and geluEnd: the distribution function of the normal distribution is 0 or 1
// to the last digit of a float32 beyond ±geluEnd; in between, straight lines between
// so many points err by less than 2e-7.
const (
	geluSteps = 4096
	geluEnd   = 6.0
)

var geluTable = func() (t [geluSteps + 2]float32) {
	for i := range t {
		x := float64(i)*2*geluEnd/geluSteps - geluEnd
		t[i] = float32((1 + math.Erf(x/math.Sqrt2)) / 2)
	}
	return t
}()

// gelu is x times the share of the normal distribution below x.
func gelu(x float32) float32 {
	switch {
	case x >= geluEnd:
		return x
	case x > -geluEnd: // NaN goes to the default
		at := (x + geluEnd) * (geluSteps / (2 * geluEnd))
		i := int(at)
		f := at - float32(i)
		return x * (geluTable[i]*(1-f) + geluTable[i+1]*f)
	case x <= -geluEnd:
		return 0
	}
	return x
}
