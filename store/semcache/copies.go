package semcache

import (
	"math"
	"sync"

	"github.com/nearcache/nearcache/store/semcache/judge"
)

// copies are the answers that callers keep (Query.Track) because they mean the same as what was asked. They are judged again when what
// the namespace has learned is another: who keeps one that would not be served any more is told; so is who keeps one for a prompt
// that feedback gives to another entry. That an entry has changed, or that a nearer one has come, is told without them.
type copies struct {
	mu struct {
		sync.Mutex
		of        map[string]kept // by the entry's key and the id of the prompt
		confirmed uint64          // counts what feedback has made certain for a prompt
	}
}

// kept is what the decision to serve an answer rests on, without what the namespace has learned.
type kept struct {
	key         string
	odds, shift float64
	wrong       float64 // the share of wrong ones that is put up with
	here        bool    // what was learned of other answers counts
	closer      func(key string)
}

// maxCopies bounds what is remembered. Who keeps more is told too often.
const maxCopies = 10_000

// keep notes that the answer of the chosen entry is kept by who has asked.
func (g *getting) keep(name string) {
	x := g.wanted
	if x.verdict > 0 { // whatever is learned
		return
	}
	k := kept{name, x.odds, x.Shift, g.bounds.wrong, x.here, g.call.Closer}
	c := &g.n.copies
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.of == nil {
		c.mu.of = map[string]kept{}
	}
	for id, old := range c.mu.of { // any of them
		if len(c.mu.of) < maxCopies {
			break
		}
		delete(c.mu.of, id)
		old.closer(old.key)
	}
	if old, ok := c.mu.of[name+string(g.id)]; ok { // the stricter of two who keep it
		k.wrong = min(k.wrong, old.wrong)
	}
	c.mu.of[name+string(g.id)] = k
	if l := (least{n: g.n}); g.confirmed != c.mu.confirmed || !l.reached(&k) { // learned since it was judged
		delete(c.mu.of, name+string(g.id))
		k.closer(name)
	}
}

// turn is by what keep knows whether something was confirmed since the candidates were read.
func (c *copies) turn() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.confirmed
}

// confirm tells who keeps the answer of another entry than that of the key for the prompt of the id.
func (c *copies) confirm(key, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.confirmed++
	for of, k := range c.mu.of {
		if k.key != key && of == k.key+id {
			delete(c.mu.of, of)
			k.closer(k.key)
		}
	}
}

// review judges all copies again.
func (n *Namespace) review() {
	c := &n.copies
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.mu.of) == 0 {
		return
	}
	l := least{n: n}
	for id, k := range c.mu.of {
		if !l.reached(&k) {
			delete(c.mu.of, id)
			k.closer(k.key)
		}
	}
}

// least is the confidence that hits must have by what is learned now, by the share of wrong ones and whether other answers
// count.
type least struct {
	n    *Namespace
	here *judge.Here
	of   map[bound]float64
}

type bound struct {
	wrong float64
	here  bool
}

// reached reports whether an answer would still be served.
func (l *least) reached(k *kept) bool {
	if l.here == nil {
		here := l.n.doubts.now()
		l.here, l.of = &here, map[bound]float64{}
	}
	b, odds := bound{k.wrong, k.here || l.n.comparesAnswers()}, k.odds
	if b.here {
		odds = l.here.LogOdds(odds)
	}
	at, ok := l.of[b]
	if !ok {
		if at = judge.Default().Least(k.wrong); b.here {
			at = l.here.Least(k.wrong)
		}
		l.of[b] = at
	}
	return confidence(odds+k.shift+l.n.learnedBias()) >= at
}

// confidence is what log odds say.
func confidence(odds float64) float64 { return 1 / (1 + math.Exp(-odds)) }
