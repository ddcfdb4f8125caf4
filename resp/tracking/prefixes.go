package tracking

import (
	"sort"
	"strings"
	"sync"
	"sync/atomic"
)

// prefixes is a radix tree of the prefixes of broadcasting clients. Which of
// them a key is below is found by walking along the key, however many there are.
type prefixes struct {
	n  atomic.Int64 // prefixes
	mu sync.RWMutex
	// root stands for the empty prefix.
	root node
}

// node is a prefix: what its parent stands for and label.
type node struct {
	label   string
	kids    []*node              // by the first bytes of their labels, which differ
	clients map[*client]struct{} // nil: a fork in the tree, nobody's prefix
}

// kid is where the child of that first byte stands, or belongs.
func (n *node) kid(b byte) (i int, found bool) {
	i = sort.Search(len(n.kids), func(i int) bool { return n.kids[i].label[0] >= b })
	return i, i < len(n.kids) && n.kids[i].label[0] == b
}

// aboveLocked calls f with every prefix of the key. mu is held.
func (p *prefixes) aboveLocked(key string, f func(*node)) {
	for n := &p.root; ; {
		if n.clients != nil {
			f(n)
		}
		if key == "" {
			return
		}
		i, ok := n.kid(key[0])
		if !ok || !strings.HasPrefix(key, n.kids[i].label) {
			return
		}
		n = n.kids[i]
		key = key[len(n.label):]
	}
}

func (p *prefixes) add(c *client, list []string) {
	if len(list) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range list {
		n := p.root.insert(s)
		if n.clients == nil {
			n.clients = map[*client]struct{}{}
			p.n.Add(1)
		}
		n.clients[c] = struct{}{}
	}
}

// insert returns the node below n that stands for n and s.
func (n *node) insert(s string) *node {
	for s != "" {
		i, ok := n.kid(s[0])
		if !ok {
			k := &node{label: strings.Clone(s)}
			n.kids = append(n.kids, nil)
			copy(n.kids[i+1:], n.kids[i:])
			n.kids[i] = k
			return k
		}
		k := n.kids[i]
		common := 0
		for common < min(len(s), len(k.label)) && s[common] == k.label[common] {
			common++
		}
		if common < len(k.label) { // a fork within the label
			fork := &node{label: k.label[:common], kids: []*node{k}}
			k.label = k.label[common:]
			n.kids[i] = fork
			k = fork
		}
		n, s = k, s[common:]
	}
	return n
}

func (p *prefixes) remove(c *client, list []string) {
	if len(list) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range list {
		if p.root.remove(s, c) {
			p.n.Add(-1)
		}
	}
}

// remove takes c out of the prefix of n and s, and reports whether nobody is left
// there. Nodes that say nothing any more go.
func (n *node) remove(s string, c *client) (last bool) {
	if s == "" {
		if n.clients == nil {
			return false
		}
		delete(n.clients, c)
		if len(n.clients) > 0 {
			return false
		}
		n.clients = nil
		return true
	}
	i, ok := n.kid(s[0])
	if !ok || !strings.HasPrefix(s, n.kids[i].label) {
		return false
	}
	k := n.kids[i]
	last = k.remove(s[len(k.label):], c)
	switch {
	case k.clients != nil:
	case len(k.kids) == 0:
		n.kids = append(n.kids[:i], n.kids[i+1:]...)
	case len(k.kids) == 1:
		only := k.kids[0]
		only.label = k.label + only.label
		n.kids[i] = only
	}
	return last
}
