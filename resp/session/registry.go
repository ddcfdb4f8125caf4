package session

import (
	"cmp"
	"slices"
	"sync"
)

// Registry knows all connected clients.
type Registry struct {
	mu struct {
		sync.RWMutex
		byID map[uint64]*Session
	}
}

// Add registers s.
func (r *Registry) Add(s *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.byID == nil {
		r.mu.byID = map[uint64]*Session{}
	}
	r.mu.byID[s.ID] = s
}

// Remove forgets s.
func (r *Registry) Remove(s *Session) {
	r.mu.Lock()
	delete(r.mu.byID, s.ID)
	r.mu.Unlock()
}

// Get returns the session of that id, nil if it is gone.
func (r *Registry) Get(id uint64) *Session {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.mu.byID[id]
}

// Len is the number of clients.
func (r *Registry) Len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.mu.byID)
}

// Each calls f with every session, in no order, under the registry's lock.
func (r *Registry) Each(f func(*Session)) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, s := range r.mu.byID {
		f(s)
	}
}

// All returns the sessions in the order they connected, without those that
// were killed and are only waiting for their own goroutine to notice.
func (r *Registry) All() []*Session {
	r.mu.RLock()
	l := make([]*Session, 0, len(r.mu.byID))
	for _, s := range r.mu.byID {
		if !s.Killed() {
			l = append(l, s)
		}
	}
	r.mu.RUnlock()
	slices.SortFunc(l, func(a, b *Session) int { return cmp.Compare(a.ID, b.ID) })
	return l
}
