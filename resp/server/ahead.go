package server

import (
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
)

// A pipeline is looked at before it runs: the memory that its keys' look-ups
// will touch is fetched for several commands at once, see [store.Lookup]. Redis
// does so too.

// maxAhead is for how many commands. The processor has no more than some twenty
// fetches under way, and what is fetched must stay in its caches until it is used.
const maxAhead = 32

// minAhead is for how many commands in a row it is worth it.
const minAhead = 3

// ahead are the next commands of a connection.
type ahead struct {
	left    int // commands that the reader had whole at the last look and that have not run
	next    int // of lookups
	lookups []store.Lookup
}

// look prepares the commands that the reader has whole, when those of the last
// look have run.
func (a *ahead) look(c *command.Ctx) {
	if a.left > 0 {
		return
	}
	a.forget()
	if a.left = c.Reader.Ahead(maxAhead); a.left < minAhead {
		return
	}
	for i := range a.left {
		var l store.Lookup
		if s := c.Table.Find(c.Reader.Arg(i, 0)); s != nil && s.Keys.Single() && s.Keys.First < c.Reader.Args(i) {
			l = c.Keyspace.Look(c.S.DB, c.Reader.Arg(i, s.Keys.First))
		}
		a.lookups = append(a.lookups, l)
	}
	for i := range a.lookups {
		c.Keyspace.Fetch(&a.lookups[i])
	}
}

// step is called before each command, and tells the Tx what it looks up.
func (a *ahead) step(tx *store.Tx) {
	a.left--
	if a.next < len(a.lookups) {
		tx.Expect(&a.lookups[a.next])
		a.next++
		return
	}
	tx.Expect(nil)
}

// forget ends a batch: it holds the reader's buffer alive.
func (a *ahead) forget() {
	clear(a.lookups)
	a.left, a.next, a.lookups = 0, 0, a.lookups[:0]
}
