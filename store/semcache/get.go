package semcache

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/nearcache/nearcache/index/kernel"
	"github.com/nearcache/nearcache/index/query"
	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/semcache/judge"
	"github.com/nearcache/nearcache/store/types/hash"
)

// neighbours is how many of the nearest entries a look-up sees: those that are
// judged, and some behind them that speak for or against.
const neighbours = judge.MaxAround

// getting is a Get under way. Its memory is used again.
type getting struct {
	n    *Namespace
	call *Call
	q    *Query
	a    *Answer
	place
	id     []byte // part of key
	vector []byte
	unit   []float32 // vector, of length 1
	before before
	said   []float32 // what came before, of length 1
	index  []byte    // what is looked for in the index: vector, or what is between it and what came before
	prompt *judge.Prompt
	prior  *judge.Prompt // what came before
	bounds bounds
	cands  []Candidate
	began  time.Time

	confirmed uint64 // copies.turn, as the candidates were read

	node   query.Node
	values [1]query.Value
	knn    query.KNN

	// Of what runs with the shard held.
	found  bool
	saved  side
	from   []byte // the key that is read
	wanted *Candidate
	lease  *lease
	mine   bool
	gone   bool // there is an answer now

	readExact, readChosen, readCands, takeLease func(*store.Tx)
}

var gettings = sync.Pool{New: func() any {
	g := new(getting)
	g.readExact, g.readChosen, g.readCands, g.takeLease = g.exact, g.chosen, g.candidates, g.take
	return g
}}

func (g *getting) free() {
	clear(g.cands[:cap(g.cands)])
	*g = getting{
		place: g.place, unit: g.unit[:0], cands: g.cands[:0],
		readExact: g.readExact, readChosen: g.readChosen, readCands: g.readCands, takeLease: g.takeLease,
	}
	if cap(g.normal) <= 64<<10 {
		gettings.Put(g)
	}
}

// Get looks for an answer: under the very prompt, then under those that mean the same,
// then it gives or waits for a lease.
func (n *Namespace) Get(call *Call, q *Query, a *Answer) error {
	if err := n.checkScope(q.Prompt, q.Scope, q.Context); err != nil {
		return err
	}
	if err := errors.Join(n.checkVector(q.Vector), n.checkBefore(before{q.Before, q.BeforeVector})); err != nil {
		return err
	}
	g := n.getting(call, q, a)
	defer g.free()
	return g.run()
}

// GetExact is Get of the very prompt's entry, if there is one: otherwise nothing has
// happened.
func (n *Namespace) GetExact(call *Call, q *Query, a *Answer) bool {
	if n.checkScope(q.Prompt, q.Scope, q.Context) != nil || n.checkVector(q.Vector) != nil || n.checkBefore(before{q.Before, q.BeforeVector}) != nil {
		return false
	}
	g := n.getting(call, q, a)
	defer g.free()
	if !g.look(g.readExact, g.key) {
		return false
	}
	n.stats.hit(&n.stats.exact, g)
	return true
}

// getting begins a Get.
func (n *Namespace) getting(call *Call, q *Query, a *Answer) *getting {
	g := gettings.Get().(*getting)
	g.n, g.call, g.q, g.a = n, call, q, a
	g.begin()
	*a = Answer{}
	return g
}

// begin finds the place of the prompt.
func (g *getting) begin() {
	q := g.q
	g.vector, g.before = q.Vector, before{q.Before, q.BeforeVector}
	g.n.locate(&g.place, q.Prompt, q.Scope, q.Context, g.before)
	g.id = g.key[len(g.n.prefix):]
	if g.before.some() { // feedback knows prompts, whatever came before
		g.id = g.n.idIn(g.partition, q.Prompt)
	}
}

// beforeText is what came before, taken apart; nil where its text is not known.
func (g *getting) beforeText() *judge.Prompt {
	if g.prior == nil && g.before.text != nil {
		g.prior = judge.Parse(string(g.before.text))
	}
	return g.prior
}

func (n *Namespace) checkVector(v []byte) error {
	if v != nil && len(v) != 4*n.Dim {
		return paramErrorf("a vector of %d float32 components has %d bytes, not %d", n.Dim, 4*n.Dim, len(v))
	}
	return nil
}

func (g *getting) run() error {
	n, q, a := g.n, g.q, g.a
	var until time.Time
	if q.Wait > 0 {
		until = time.Now().Add(q.Wait)
	}
	waited := false
	var vain Vain
	for {
		g.began = time.Now()
		*a = Answer{}
		if q.Mode != OnlySemantic && g.look(g.readExact, g.key) {
			n.stats.hit(&n.stats.exact, g)
			return nil
		}
		if q.Mode != OnlyExact {
			if err := g.semantic(); err != nil {
				return err
			}
			if g.found {
				n.stats.hit(&n.stats.semantic, g)
				return nil
			}
		} else {
			a.Reason = "no such prompt"
		}
		if q.Lease <= 0 || waited && q.Once {
			a.Vain = vain
			n.stats.miss.Add(1)
			return nil
		}
		g.gone, g.lease = false, nil
		g.call.with(g.key, g.takeLease)
		switch {
		case g.gone:
			continue
		case g.lease == nil && n.leases.over(): // nobody would end it
			return ErrNoNamespace
		case g.lease == nil || g.mine:
			if g.lease != nil {
				a.Token = g.lease.token
				n.stats.leases.Add(1)
			}
			n.stats.miss.Add(1)
			return nil
		}
		if g.fulfilled() {
			if g.found {
				n.stats.hit(&n.stats.semantic, g)
				return nil
			}
			waited, vain = g.lease.stored == "", g.lease.vain
			continue
		}
		a.Reason = "another computes it"
		if q.Wait <= 0 || g.call.Locked {
			a.Status = Leased
			n.stats.leased.Add(1)
			return nil
		}
		waited = true
		again, err := g.wait(until)
		if err != nil {
			return err
		}
		vain = g.lease.inVain()
		if g.found {
			n.stats.hit(&n.stats.semantic, g)
			n.stats.waited.Add(1)
			return nil
		}
		if !again {
			a.Status = Waited
			n.stats.timedOut.Add(1)
			return nil
		}
	}
}

// look runs f with the key's shard held; f sets found.
func (g *getting) look(f func(*store.Tx), key []byte) bool {
	g.found, g.from = false, key
	g.call.with(key, f)
	return g.found
}

// exact reads the entry of the very prompt.
func (g *getting) exact(tx *store.Tx) {
	if g.call.Look != nil {
		g.call.Look()
	}
	g.serve(tx, Exact, 1, 1)
}

// chosen reads the entry that was judged, if it is still that one.
func (g *getting) chosen(tx *store.Tx) {
	if g.call.Look != nil {
		g.call.Look()
	}
	h, ok := hashOf(tx.Peek(g.from))
	if !ok {
		return
	}
	var x Candidate
	if !g.n.candidate(&x, h, g.partition, g.id) || x.Prompt != g.wanted.Prompt || x.answer.id != g.wanted.answer.id || x.verdict < 0 || x.Shift != g.wanted.Shift {
		return
	}
	g.serve(tx, Semantic, g.wanted.Sim, g.wanted.Confidence)
}

// serve fills in the answer from the entry under from, unless it may not be served.
func (g *getting) serve(tx *store.Tx, s Status, sim, confidence float64) {
	e := tx.Peek(g.from)
	h, ok := hashOf(e)
	if !ok {
		return
	}
	if p, ok := h.GetString(fieldPartition); !ok || !bytes.Equal(p, g.partition) {
		return
	}
	answer, ok := h.GetString(fieldAnswer)
	if !ok || s == Exact && (!g.asks(h) || refused(h, g.id)) {
		return
	}
	n, a := g.n, g.a
	a.Age = max(0, tx.Now-insertedAt(h))
	if n.MaxAge > 0 && a.Age >= n.MaxAge {
		g.a.Reason = "older than MAXAGE"
		return
	}
	a.PTTL = -1
	if at := e.ExpireAt(); at > 0 {
		a.PTTL = at - tx.Now
	}
	if left := n.MaxAge - a.Age; n.MaxAge > 0 && (a.PTTL < 0 || left < a.PTTL) {
		a.PTTL = left
	}
	tx.Find(g.from) // it is used
	a.Status, a.Answer, a.Sim, a.Confidence, a.Reason = s, answer, sim, confidence, ""
	a.ID = g.from[len(n.prefix):]
	g.found = true
	if g.call.Found != nil {
		g.call.Found(g.from, a)
		a.Answer, a.ID = nil, nil
	} else {
		a.Answer, a.ID = bytes.Clone(answer), bytes.Clone(a.ID)
	}
	g.saved = n.served(tx, g.from)
}

// asks reports whether an entry is of the very prompt. Its key says so, but whoever writes to
// keys may have given it to another (RENAME).
func (g *getting) asks(h *hash.Value) bool {
	p, ok := h.GetString(fieldPrompt)
	if !ok || bytes.Equal(p, g.q.Prompt) {
		return ok
	}
	said := len(g.normal)
	both := g.n.normalise(g.normal, p) // behind it, in its memory
	g.normal = both[:said]
	from := len(g.partition)
	if g.before.some() {
		from += 2 * idSize // the mark
	}
	return bytes.Equal(both[from:said], both[said:])
}

// semantic looks for an entry that means the same.
func (g *getting) semantic() error {
	n, a := g.n, g.a
	g.found = false
	if err := g.embed(); err != nil {
		return err
	}
	g.bounds = n.bounds(g.q)
	g.call.Settle()
	for range 3 { // what was chosen may change before it is read
		if g.q.Track {
			g.confirmed = n.copies.turn()
		}
		if err := g.nearest(neighbours, nil); err != nil {
			return err
		}
		if len(g.cands) == 0 {
			a.Reason = "nothing stored"
			return nil
		}
		g.call.with(g.key, g.readCands)
		if len(g.cands) == 0 {
			a.Reason = "nothing stored"
			return nil
		}
		if g.prompt == nil {
			g.prompt = judge.Parse(string(g.q.Prompt))
		}
		best := n.decide(g.prompt, g.beforeText(), g.cands, g.bounds, g.call.Tx.Now, false)
		n.asked(g.key, g.cands, best < 0)
		if best < 0 {
			a.Sim, a.Confidence, a.Reason = g.cands[0].Sim, g.cands[0].Confidence, g.cands[0].Reason
			return nil
		}
		g.wanted = &g.cands[best]
		key := []byte(g.wanted.Key)
		if g.q.Track && g.call.Closer != nil && !g.call.Locked {
			seen := best + 1
			if g.wanted.verdict <= 0 && (n.Margin > 0 || g.wanted.Around != judge.Around{}) {
				seen = neighbours // those that are farther had a say
			}
			done, err := g.watched(key, seen)
			if done || err != nil {
				return err
			}
			continue
		}
		if g.look(g.readChosen, key) {
			return nil
		}
	}
	a.Reason = "what was found has changed"
	return nil
}

// watched is the reading of the chosen entry for a caller that keeps the answer: it hears when
// an entry comes that is nearer than the last of the seen nearest, of which the chosen one is one.
func (g *getting) watched(key []byte, seen int) (done bool, err error) {
	s, closer, name := g.n.search(), g.call.Closer, string(key)
	w := s.OpenWatch(func() { closer(name) })
	if err := g.nearestRows(seen, w, func(r *search.Result) {
		for i := range r.Rows {
			done = done || r.Rows[i].Name == name
		}
	}); err != nil || !done {
		s.Forget(w)
		return false, err
	}
	if !g.look(g.readChosen, key) {
		s.Forget(w)
		return false, nil
	}
	of := name + string(g.id)
	s.Settle(w, of)
	g.keep(name, of)
	return true, nil
}

// embed sees to it that there is a vector.
func (g *getting) embed() error {
	if g.vector == nil {
		if g.call.Locked {
			return ErrNoEmbedding
		}
		v, err := g.n.Embed(g.call.Ctx, g.q.Prompt)
		if err != nil {
			return err
		}
		g.vector = v
		g.call.now(g.n.c)
	}
	if len(g.unit) == 0 {
		g.unit = append(g.unit[:0], make([]float32, g.n.Dim)...)
		kernel.Decode32(g.unit, g.vector)
		if !kernel.Finite32(g.unit) {
			return paramError("the vector holds NaN or infinity")
		}
		Shorten(g.unit)
	}
	if g.index != nil {
		return nil
	}
	g.index = g.vector
	if !g.before.some() {
		return nil
	}
	b, err := g.n.blend(g.call, g.vector, g.before)
	if err != nil {
		return err
	}
	g.index, g.said = b.between, unitOf(b.before, g.n.Dim)
	return nil
}

// nearest fills cands with the nearest entries of the partition, as the index has them.
func (g *getting) nearest(k int, w *search.Watch) error {
	g.cands = g.cands[:0]
	return g.nearestRows(k, w, func(r *search.Result) {
		for i := range r.Rows {
			d, ok := r.Distance(i, 0)
			if !ok {
				continue
			}
			if len(g.cands) < cap(g.cands) {
				g.cands = g.cands[:len(g.cands)+1]
			} else {
				g.cands = append(g.cands, Candidate{})
			}
			x := &g.cands[len(g.cands)-1]
			*x = Candidate{Evidence: x.Evidence[:0], Key: r.Rows[i].Name, Sim: 1 - d, near: 1 - d, Context: math.NaN()}
		}
	})
}

func (g *getting) nearestRows(k int, w *search.Watch, rows func(*search.Result)) error {
	partition := unsafe.String(unsafe.SliceData(g.partition), len(g.partition))
	blob, field := g.index, fieldVector
	if g.before.some() {
		field = fieldBetween
	}
	if w != nil { // the query outlives the call
		partition, blob = strings.Clone(partition), bytes.Clone(blob)
		node, knn := new(query.Node), new(query.KNN)
		*node = query.Node{Kind: query.Tag, Field: fieldPartition, Values: []query.Value{{Kind: query.Term, Text: partition}}}
		*knn = query.KNN{Field: field, K: k, Blob: blob, As: distance}
		return g.search(query.Query{Root: node, KNN: knn}, k, w, rows)
	}
	g.values[0] = query.Value{Kind: query.Term, Text: partition}
	g.node = query.Node{Kind: query.Tag, Field: fieldPartition, Values: g.values[:]}
	g.knn = query.KNN{Field: field, K: k, Blob: blob, As: distance}
	return g.search(query.Query{Root: &g.node, KNN: &g.knn}, k, nil, rows)
}

func (g *getting) search(q query.Query, k int, w *search.Watch, rows func(*search.Result)) error {
	r, err := g.n.search().Search(&q, search.Options{Num: k, Now: g.call.Tx.Now, Watch: w})
	if errors.Is(err, search.ErrClosed) {
		return ErrNoNamespace
	}
	if err != nil {
		return err
	}
	rows(r)
	r.Release()
	return nil
}

// candidates reads what the index has found, and drops what is none of ours.
func (g *getting) candidates(tx *store.Tx) {
	l := g.cands[:0]
	for i := range g.cands {
		x := g.cands[i]
		h, ok := hashOf(tx.Peek(unsafe.Slice(unsafe.StringData(x.Key), len(x.Key))))
		if ok && g.n.candidate(&x, h, g.partition, g.id) && (g.said == nil || g.n.inContext(&x, h, g.q.Prompt, g.unit, g.said)) {
			l = append(l, x)
		}
	}
	g.cands = l
}

// take asks for a lease, with the shard held: nobody can store the answer meanwhile.
func (g *getting) take(tx *store.Tx) {
	if h, ok := hashOf(tx.Peek(g.key)); ok && g.q.Mode != OnlySemantic {
		p, ok := h.GetString(fieldPartition)
		_, answered := h.GetString(fieldAnswer)
		if ok && answered && bytes.Equal(p, g.partition) && g.asks(h) && !g.tooOld(h, tx.Now) { // as serve has it
			g.gone = true
			return
		}
	}
	a := ask{
		key: string(g.key), partition: string(g.partition), since: g.began, owner: g.call.Owner,
		now: tx.Now, time: min(g.q.Lease, MaxLease), vain: g.q.Vain,
	}
	if g.q.Mode != OnlyExact {
		if g.prompt == nil {
			g.prompt = judge.Parse(string(g.q.Prompt))
		}
		a.prompt, a.vector, a.same = g.prompt, append([]float32(nil), g.unit...), g.paraphrases
		if a.said = g.said; a.said != nil {
			a.before, a.normal = string(g.before.text), string(g.n.normalise(nil, g.q.Prompt))
		}
	}
	g.lease, g.mine = g.n.leases.take(g.n.c, a)
}

func (g *getting) tooOld(h *hash.Value, now int64) bool {
	return g.n.MaxAge > 0 && now-insertedAt(h) >= g.n.MaxAge
}

// paraphrases reports whether the prompt that a lease is for would be served for this one.
func (g *getting) paraphrases(x *lease) bool {
	if len(x.vector) != len(g.unit) || len(g.unit) == 0 {
		return false
	}
	sim := cosine(x.vector, g.unit)
	if sim < g.bounds.minSim {
		return false
	}
	c := Candidate{Sim: sim, near: sim, Context: math.NaN(), inserted: g.call.Tx.Now}
	if g.said != nil {
		if len(x.said) != len(g.said) {
			return false
		}
		c.Context, c.same = cosine(x.said, g.said), x.normal == string(g.n.normalise(nil, g.q.Prompt))
		c.before = x.before
	}
	t := g.n.trial(g.bounds, g.call.Tx.Now, g.beforeText(), false)
	g.n.judge(g.prompt, x.prompt, &c, &t)
	return c.Reason == ""
}

// poll is how often somebody who waits looks whether the caller is still there.
const poll = 50 * time.Millisecond

// wait waits for a lease to end. again reports whether to look anew: not, where the
// time is up. An answer that was stored for another prompt is judged here, so that
// the index need not have it yet.
func (g *getting) wait(until time.Time) (again bool, err error) {
	c, x := g.n.c, g.lease
	g.found = false
	ctx := g.call.Ctx
	if ctx == nil {
		ctx = context.Background()
	}
	for {
		left := time.Until(until)
		if left <= 0 {
			return false, nil
		}
		if end := time.Duration(x.endsIn(&g.n.leases, c.ks.Now())) * time.Millisecond; end > 0 {
			left = min(left, end)
		}
		t := time.NewTimer(min(left, poll))
		select {
		case <-x.done:
			t.Stop()
			g.call.now(c)
			g.fulfilled()
			return true, nil
		case <-ctx.Done():
			t.Stop()
			return false, ctx.Err()
		case <-c.stop:
			t.Stop()
			return false, nil
		case <-t.C:
			g.call.now(c)
			if g.call.Gone != nil && g.call.Gone() {
				return false, nil
			}
			if x.endsIn(&g.n.leases, g.call.Tx.Now) <= 0 {
				return true, nil // its holder has not made it in time
			}
		}
	}
}

// fulfilled reports whether the lease has ended, and looks whether its answer is right
// for this prompt, too.
func (g *getting) fulfilled() bool {
	x := g.lease
	select {
	case <-x.done:
	default:
		return false
	}
	if g.found = false; x.stored != "" && x.stored != string(g.key) {
		g.judgeStored(x)
	}
	return true
}

// inVain is why a lease has ended without an answer, if it has.
func (x *lease) inVain() Vain {
	select {
	case <-x.done:
		return x.vain
	default: // its time is up
		return Vain{Why: Left}
	}
}

// endsIn is how many ms a lease has left.
func (x *lease) endsIn(l *leases, now int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return x.ends - now
}

// judgeStored serves the answer of a lease that was waited for, if it is right for this prompt.
func (g *getting) judgeStored(x *lease) {
	sim := 0.0
	g.call.with(g.key, func(tx *store.Tx) {
		h, ok := hashOf(tx.Peek([]byte(x.stored)))
		if !ok {
			return
		}
		blob, _ := h.GetString(fieldVector) // the lease may have been for another prompt
		if v := unitOf(blob, g.n.Dim); v != nil && len(v) == len(g.unit) {
			sim = cosine(v, g.unit)
		}
	})
	g.cands = append(g.cands[:0], Candidate{Key: x.stored, Sim: sim, near: sim, Context: math.NaN()})
	g.call.with(g.key, g.readCands)
	if g.n.decide(g.prompt, g.beforeText(), g.cands, g.bounds, g.call.Tx.Now, false) == 0 {
		g.wanted = &g.cands[0]
		g.look(g.readChosen, []byte(x.stored))
	}
}

// Locate is the id that a prompt's entry has.
func (n *Namespace) Locate(prompt []byte, scope []Pair, context string, said []byte) string {
	var at place
	n.locate(&at, prompt, scope, context, before{text: said})
	return string(at.key[len(n.prefix):])
}
