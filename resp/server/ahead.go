package server

import (
	"slices"

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
	most  int // how many to look at next, 0 for maxAhead
	left  int // commands that the reader had whole at the last look and that have not run
	at    int // the next of known
	known []known
}

// known is what is known of a command before it runs: its row, nil for none, and
// what it looks up.
type known struct {
	spec *command.Spec
	key  store.Lookup
}

// look prepares the commands that the reader has whole, when those of the last
// look have run.
func (a *ahead) look(c *command.Ctx) {
	if a.left > 0 {
		return
	}
	a.forget()
	n := maxAhead
	if a.most > 0 {
		n, a.most = a.most, 0
	}
	if a.left = c.Reader.Ahead(n); a.left < minAhead {
		return
	}
	a.known = slices.Grow(a.known, a.left)[:a.left] // all zero
	for i := range a.known {
		s := c.Table.Find(c.Reader.Arg(i, 0))
		a.known[i].spec = s
		if s != nil && s.Keys.Single() && s.Keys.First < c.Reader.Args(i) {
			c.Keyspace.Look(&a.known[i].key, c.S.DB, c.Reader.Arg(i, s.Keys.First))
		}
	}
	for i := range a.known {
		c.Keyspace.Fetch(&a.known[i].key)
	}
}

// step is called before each command, and tells the Tx what it looks up. It returns
// the command's row, if that is known.
func (a *ahead) step(tx *store.Tx) *command.Spec {
	a.left--
	if a.at == len(a.known) {
		tx.Expect(nil)
		return nil
	}
	k := &a.known[a.at]
	a.at++
	tx.Expect(&k.key)
	return k.spec
}

// forget ends a batch: it holds the reader's buffer alive.
func (a *ahead) forget() {
	clear(a.known)
	a.left, a.at, a.known = 0, 0, a.known[:0]
}

// short is called when no more of a batch is run now than so many commands, as their
// replies are large: the next look is at few.
func (a *ahead) short(ran int) { a.most = min(2*ran, maxAhead) }
