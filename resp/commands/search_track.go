package commands

import (
	"encoding/hex"

	"github.com/zeebo/xxh3"

	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store/catalog"
)

// With the setting search-tracking a search of a client that tracks registers a
// pseudo-key, and an invalidation of that name comes when a write has made its
// answer another one. The reply names it, in RESP3, as tracking:
//
//	__ft__:{index}:<hash of the command>   the answer is watched exactly
//	__ft__:{index}                         any write of the index counts: too many are
//	                                       watched, or the query has words
//
// In RESP2, where a reply has no place for it, it is always the second.
const trackPrefix = "__ft__:"

// tracked is a search under way whose answer its client will keep.
type tracked struct {
	c     *command.Ctx
	ix    *catalog.Index
	watch *search.Watch
	name  string
}

// trackSearch begins to watch for a search of the client; nil where it does not track.
// It must be called before the search.
func trackSearch(c *command.Ctx, ix *catalog.Index) *tracked {
	if !c.Tracking.Searches.Load() || !c.Tracking.Wants(c.S) {
		return nil
	}
	t := &tracked{c: c, ix: ix}
	t.watch = ix.Search().OpenWatch(func() { c.Tracking.Changed(t.name) })
	return t
}

// done is called with the answer known and before it is written: it registers
// the client, and returns the pseudo-key. From then on an invalidation may be
// queued, behind the reply.
func (t *tracked) done() string {
	if t == nil {
		return ""
	}
	t.name = trackPrefix + "{" + t.ix.Name + "}"
	if t.watch.Exact() && t.c.W.Proto() == 3 {
		t.name += ":" + argsHash(t.c.Args)
	} else {
		t.watch.Widen()
	}
	t.c.Tracking.Note(t.c.S, t.name)
	t.ix.Search().Settle(t.watch, t.name)
	return t.name
}

// failed is called where there is no answer.
func (t *tracked) failed() {
	if t != nil {
		t.ix.Search().Forget(t.watch)
	}
}

// argsHash tells commands apart by all of their arguments but the name.
func argsHash(argv [][]byte) string {
	var h xxh3.Hasher
	var n [8]byte
	for _, a := range argv[1:] {
		for i := range n {
			n[i] = byte(len(a) >> (8 * i))
		}
		_, _ = h.Write(n[:])
		_, _ = h.Write(a)
	}
	sum := h.Sum128().Bytes()
	return hex.EncodeToString(sum[:])
}

// keptArgs are the arguments of a command that outlive it.
func keptArgs(argv [][]byte) *args.Parser {
	n := 0
	for _, a := range argv {
		n += len(a)
	}
	all := make([]byte, 0, n)
	kept := make([][]byte, len(argv))
	for i, a := range argv {
		all = append(all, a...)
		kept[i] = all[len(all)-len(a) : len(all) : len(all)]
	}
	p := new(args.Parser)
	p.Reset(kept)
	return p
}
