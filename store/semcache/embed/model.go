package embed

import (
	"container/list"
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
)

// Model is a [Source] with a memory, behind a queue.
type Model struct {
	spec
	set  *Set
	open func() (Source, error) // once
	Stats

	mu struct {
		sync.Mutex
		known   lru
		flights map[string]*flight
		queue   []*flight // those not sent yet
		senders int
	}
}

// Stats counts what a model has done.
type Stats struct {
	Texts    atomic.Uint64 // asked for
	Known    atomic.Uint64 // of them found in memory
	Computed atomic.Uint64 // embedded
	Requests atomic.Uint64 // in so many requests
	Failed   atomic.Uint64 // requests that failed in the end
}

// flight is a text that is being embedded.
type flight struct {
	text string
	done chan struct{} // closed when the next two are set
	v    []float32
	err  error
}

// Errors of Embed.
var (
	ErrBusy   = errors.New("too many texts wait to be embedded")
	ErrClosed = errors.New("the server is ending")
)

// maxQueue is how many texts may wait: beyond that they would only time out.
const maxQueue = 10_000

func newModel(s *Set, sp spec) *Model {
	m := &Model{spec: sp, set: s}
	m.open = sync.OnceValues(func() (Source, error) { return sp.kind.Open(sp.what, s.Options) })
	m.mu.flights = map[string]*flight{}
	return m
}

// Name is what the setting calls the model.
func (m *Model) Name() string { return m.name }

// Dim is the length of its vectors, 0 as long as nobody knows: a server tells by
// its first answer.
func (m *Model) Dim() int {
	src, err := m.open()
	if err != nil {
		return 0
	}
	return src.Dim()
}

// Open loads the model, where there is something to load. Embed does so, too.
func (m *Model) Open() error {
	_, err := m.open()
	return err
}

// Embed returns the vectors of texts, of length 1. They are shared and must not
// be changed.
func (m *Model) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	src, err := m.open()
	if err != nil {
		return nil, err
	}
	m.set.warn(m)
	m.Texts.Add(uint64(len(texts)))
	if m.kind.Cheap {
		m.Computed.Add(uint64(len(texts)))
		return src.Embed(ctx, texts)
	}
	out := make([][]float32, len(texts))
	wait := make([]*flight, len(texts))
	if err := m.find(src, texts, out, wait); err != nil {
		return nil, err
	}
	for i, f := range wait {
		if f == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-f.done:
		}
		if f.err != nil {
			return nil, f.err
		}
		out[i] = f.v
	}
	return out, nil
}

// find fills in what is known, and the flights of the others.
func (m *Model) find(src Source, texts []string, out [][]float32, wait []*flight) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, text := range texts {
		if v, ok := m.mu.known.get(text); ok {
			out[i] = v
			m.Known.Add(1)
			continue
		}
		f := m.mu.flights[text]
		if f == nil {
			if len(m.mu.queue) >= maxQueue {
				return ErrBusy
			}
			f = &flight{text: text, done: make(chan struct{})}
			m.mu.flights[text] = f
			m.mu.queue = append(m.mu.queue, f)
		}
		wait[i] = f
	}
	for m.mu.senders < m.parallel() && m.mu.senders*m.batch() < len(m.mu.queue) {
		if !m.set.start(func() { m.send(src) }) {
			return ErrClosed
		}
		m.mu.senders++
	}
	return nil
}

func (m *Model) parallel() int {
	if m.kind.Remote {
		return m.set.Options().Parallel
	}
	return max(runtime.NumCPU()/2, 1) // the other half is for those who ask for nothing of the kind
}

func (m *Model) batch() int {
	if m.kind.Remote {
		return m.set.Options().Batch
	}
	return 1
}

// send embeds what is queued until nothing is.
func (m *Model) send(src Source) {
	for {
		m.mu.Lock()
		n := min(m.batch(), len(m.mu.queue))
		if n == 0 {
			m.mu.senders--
			m.mu.queue = nil
			m.mu.Unlock()
			return
		}
		batch := m.mu.queue[:n:n]
		m.mu.queue = m.mu.queue[n:]
		m.mu.Unlock()
		m.embed(src, batch)
		m.mu.Lock()
		m.mu.known.limit = m.set.Options().Cache
		for _, f := range batch {
			delete(m.mu.flights, f.text)
			if f.err == nil {
				m.mu.known.put(f.text, f.v)
			}
			close(f.done)
		}
		m.mu.Unlock()
	}
}

// embed sets the results of a batch. A text that the server does not like takes
// no other with it.
func (m *Model) embed(src Source, batch []*flight) {
	texts := make([]string, len(batch))
	for i, f := range batch {
		texts[i] = f.text
	}
	m.Requests.Add(1)
	v, err := src.Embed(m.set.ctx, texts)
	if err != nil && len(batch) > 1 && refusesTexts(err) {
		for i := range batch {
			m.embed(src, batch[i:i+1])
		}
		return
	}
	if err != nil {
		m.Failed.Add(1)
	} else {
		m.Computed.Add(uint64(len(batch)))
	}
	for i, f := range batch {
		if f.err = err; err == nil {
			f.v = v[i]
		}
	}
}

// lru remembers vectors, those used last.
type lru struct {
	limit int64 // bytes
	bytes int64
	order list.List // of *known; the one used last is in front
	at    map[string]*list.Element
}

type known struct {
	text string
	v    []float32
}

// knownSize is what an entry takes beside text and vector, in bytes.
const knownSize = 200

func (k *known) size() int64 { return int64(len(k.text)) + 4*int64(len(k.v)) + knownSize }

func (c *lru) get(text string) ([]float32, bool) {
	e, ok := c.at[text]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*known).v, true
}

func (c *lru) put(text string, v []float32) {
	k := &known{text, v}
	if _, ok := c.at[text]; ok || k.size() > c.limit {
		return
	}
	if c.at == nil {
		c.at = map[string]*list.Element{}
	}
	c.at[text] = c.order.PushFront(k)
	for c.bytes += k.size(); c.bytes > c.limit; {
		last := c.order.Back()
		old := c.order.Remove(last).(*known)
		delete(c.at, old.text)
		c.bytes -= old.size()
	}
}
