package semcache

import "sync"

// copies are the answers that callers keep (Query.Track) because they mean the same as what was asked. They are judged again when what
// the namespace has learned is another: who keeps one that would not be served any more is told; so is who keeps one for a prompt
// that feedback gives to another entry. That an entry has changed, or that one has come that is nearer or has a say from farther, is told
// without them.
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

// keep notes that the answer of the chosen entry is kept by who has asked. of is the entry's key and the id of the prompt.
func (g *getting) keep(name, of string) {
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
	if old, ok := c.mu.of[of]; ok { // the stricter of two who keep it
		k.wrong = min(k.wrong, old.wrong)
	}
	if m := g.n.measure(k.wrong, k.here); g.confirmed != c.mu.confirmed || !g.n.serves(&m, &k) { // learned since it was judged
		delete(c.mu.of, of)
		k.closer(name)
		return
	}
	c.mu.of[of] = k
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
	type by struct {
		wrong float64
		here  bool
	}
	measures := map[by]measure{}
	for of, k := range c.mu.of {
		b := by{k.wrong, k.here}
		m, ok := measures[b]
		if !ok {
			m = n.measure(b.wrong, b.here)
			measures[b] = m
		}
		if !n.serves(&m, &k) {
			delete(c.mu.of, of)
			k.closer(k.key)
		}
	}
}

// serves reports whether a kept answer would still be served.
func (n *Namespace) serves(m *measure, k *kept) bool {
	return n.confidence(m, k.odds, k.shift) >= m.least
}
