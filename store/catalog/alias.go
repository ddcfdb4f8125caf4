package catalog

import (
	"errors"
	"maps"
	"slices"
)

// Errors of aliases.
var (
	ErrAlias   = errors.New("catalog: alias exists")
	ErrNoAlias = errors.New("catalog: no such alias")
)

// Alias makes another name for an index, which must not be an alias itself. One that
// exists is moved if move is set.
func (c *Catalog) Alias(alias, name string, move bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := *c.aliases.Load()
	switch {
	case (*c.set.Load())[name] == nil:
		return ErrMissing
	case old[alias] != "" && !move:
		return ErrAlias
	}
	next := maps.Clone(old)
	next[alias] = name
	c.aliases.Store(&next)
	return nil
}

// Unalias forgets an alias.
func (c *Catalog) Unalias(alias string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := *c.aliases.Load()
	if old[alias] == "" {
		return ErrNoAlias
	}
	next := maps.Clone(old)
	delete(next, alias)
	c.aliases.Store(&next)
	return nil
}

// cutAliasesLocked forgets the aliases of indexes that are gone.
func (c *Catalog) cutAliasesLocked() {
	set, old := *c.set.Load(), *c.aliases.Load()
	next := maps.Clone(old)
	maps.DeleteFunc(next, func(_, name string) bool { return set[name] == nil })
	if len(next) < len(old) {
		c.aliases.Store(&next)
	}
}

// aliasesOf are the aliases of an index, sorted.
func (c *Catalog) aliasesOf(name string) []string {
	var l []string
	for alias, of := range *c.aliases.Load() {
		if of == name {
			l = append(l, alias)
		}
	}
	slices.Sort(l)
	return l
}

// IsAlias reports whether a name is an alias, and not of an index itself.
func (c *Catalog) IsAlias(name string) bool {
	return (*c.set.Load())[name] == nil && (*c.aliases.Load())[name] != ""
}
