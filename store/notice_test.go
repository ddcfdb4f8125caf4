package store

import (
	"fmt"
	"slices"
	"testing"

	"github.com/nearcache/nearcache/store/types/hash"
	"github.com/nearcache/nearcache/store/types/str"
)

// noted writes down what a Noticer hears.
type noted struct{ log []string }

// Noticed implements Noticer.
func (n *noted) Noticed(c *Commit) {
	for i := range len(c.Events) + 1 {
		for _, x := range c.Notices {
			if x.At == i {
				n.log = append(n.log, fmt.Sprintf("%c %d %s %s", x.Class, x.DB, x.Name, x.Key))
			}
		}
		if i < len(c.Events) {
			e := c.Events[i]
			n.log = append(n.log, fmt.Sprintf("%s %s%q", e.Name, e.Key, e.Fields))
		}
	}
}

func TestNoticesAreInOrderAndOnlyWhereWanted(t *testing.T) {
	t.Parallel()
	f := func(w Wanted, want ...string) {
		t.Helper()
		var n noted
		ks := New(Options{})
		ks.Notify(&n)
		ks.SetNotices(w)
		var tx Tx
		key, other := []byte("{k}"), []byte("{k}2")
		do := func(f func()) {
			tx.Begin(ks, 3, 0)
			tx.LockKey(key)
			f()
			tx.End()
		}
		do(func() {
			tx.Get(key)
			tx.Changed(tx.Put(key, str.New([]byte("v")), false), ClassString, "set")
			tx.Changed(tx.Put(key, hash.New(), false), ClassHash, "hset")
			tx.Fields([][]byte{[]byte("f"), []byte("1"), []byte("g"), []byte("2")}, 2)
		})
		do(func() {
			e, was := tx.PutAnew(other, str.New(nil))
			tx.Overwritten(e, was)
			e, was = tx.PutAnew(other, hash.New())
			tx.Changed(e, ClassGeneric, "copy_to")
			tx.Overwritten(e, was)
		})
		do(func() {
			tx.NoMiss = true
			tx.Get([]byte("{k}3"))
			tx.NoMiss = false
		})
		do(func() { tx.Get([]byte("{k}4")) })
		if !slices.Equal(n.log, want) {
			t.Errorf("wanted %b:\n got %q\nwant %q", w, n.log, want)
		}
	}
	f(0)
	f(WantEvents, `set {k}[]`, `hset {k}[]`, `copy_to {k}2[]`)
	f(WantEvents|WantNew, `n 3 new {k}`, `set {k}[]`, `hset {k}[]`, `n 3 new {k}2`, `n 3 new {k}2`, `copy_to {k}2[]`)
	f(WantEvents|WantMisses, `m 3 keymiss {k}`, `set {k}[]`, `hset {k}[]`, `copy_to {k}2[]`, `m 3 keymiss {k}4`)
	f(WantEvents|WantOverwritten, `set {k}[]`, `o 3 overwritten {k}`, `hset {k}[]`, `copy_to {k}2[]`, `o 3 overwritten {k}2`)
	f(WantEvents|WantRetyped|WantFields, `set {k}[]`, `c 3 type_changed {k}`, `hset {k}["f" "g"]`, `copy_to {k}2[]`, `c 3 type_changed {k}2`)
}

// TestNoticesCostNothingWhereNobodyListens compares the allocations of a miss.
func TestNoticesCostNothingWhereNobodyListens(t *testing.T) {
	ks := New(Options{})
	var tx Tx
	key := []byte("missing")
	if n := testing.AllocsPerRun(100, func() {
		tx.Begin(ks, 0, 0)
		tx.LockKey(key)
		tx.Get(key)
		tx.End()
	}); n != 0 {
		t.Errorf("a miss allocates %v times", n)
	}
}
