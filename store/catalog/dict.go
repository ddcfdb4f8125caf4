package catalog

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Dicts are the dictionaries of FT.DICTADD: sets of words that FT.SPELLCHECK takes
// for right, or leaves out. They belong to no key; a flush takes them along.
type Dicts struct {
	some atomic.Bool // there are any; changed under mu
	mu   struct {
		sync.RWMutex
		dicts map[string]map[string]struct{} // none is empty
	}
}

// Add puts words into a dictionary; the number of those that are new.
func (d *Dicts) Add(name string, words [][]byte) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	set := d.mu.dicts[name]
	if set == nil {
		if d.mu.dicts == nil {
			d.mu.dicts = map[string]map[string]struct{}{}
		}
		set = map[string]struct{}{}
		d.mu.dicts[name] = set
		d.some.Store(true)
	}
	n := len(set)
	for _, w := range words {
		set[string(w)] = struct{}{}
	}
	return len(set) - n
}

// Remove takes words out of a dictionary; the number of those that were in it.
func (d *Dicts) Remove(name string, words [][]byte) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	set := d.mu.dicts[name]
	n := len(set)
	for _, w := range words {
		delete(set, string(w))
	}
	n -= len(set)
	if set != nil && len(set) == 0 {
		delete(d.mu.dicts, name)
		d.some.Store(len(d.mu.dicts) > 0)
	}
	return n
}

// Words are those of a dictionary, sorted; false if there is none of that name.
func (d *Dicts) Words(name string) ([]string, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	set, ok := d.mu.dicts[name]
	return slices.SortedFunc(maps.Keys(set), strings.Compare), ok
}

// Has reports whether a word is in a dictionary.
func (d *Dicts) Has(name, word string) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	_, ok := d.mu.dicts[name][word]
	return ok
}

// names are those of the dictionaries, sorted.
func (d *Dicts) names() []string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.Sorted(maps.Keys(d.mu.dicts))
}

// none reports whether there is no dictionary: each commit asks.
func (d *Dicts) none() bool { return !d.some.Load() }

func (d *Dicts) clear() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.dicts = nil
	d.some.Store(false)
}
