package semcache

// Leases is how many there are in all namespaces.
func (c *Cache) Leases() int64 { return c.leases.Load() }

// Checks is how many misses wait for their answers.
func (n *Namespace) Checks() int {
	n.doubts.mu.Lock()
	defer n.doubts.mu.Unlock()
	return len(n.doubts.mu.misses)
}
