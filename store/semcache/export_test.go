package semcache

// Leases is how many there are in all namespaces.
func (c *Cache) Leases() int64 { return c.leases.Load() }
