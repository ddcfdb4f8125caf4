package store

import "github.com/nearcache/nearcache/store/persist"

// Class is a letter of notify-keyspace-events: the family an event belongs to.
type Class byte

// The classes, as in redis.conf.
const (
	ClassGeneric Class = 'g'
	ClassString  Class = '$'
	ClassList    Class = 'l'
	ClassSet     Class = 's'
	ClassHash    Class = 'h'
	ClassZSet    Class = 'z'
	ClassStream  Class = 't'
	ClassModule  Class = 'd' // of types that are a module's in Redis: JSON
	ClassExpired Class = 'x'
	ClassEvicted Class = 'e'
	ClassMiss    Class = 'm' // these four are told by Notices only: they are no changes of their own
	ClassNew     Class = 'n'
	ClassOver    Class = 'o'
	ClassRetyped Class = 'c'
)

// Event says that a key changed.
type Event struct {
	DB    int    // database; -1 for a flush of all
	Key   string // empty for a flush
	Class Class
	Name  string // as keyspace notifications name it: "set", "del", "expired", "hset", …
	Flush bool   // the whole database went; Key is empty
	Swap  bool   // DB and one of a greater number were exchanged; Flush is set, too
	Entry *Entry // the entry after the change, nil where the key is gone
	Quiet bool   // nothing that a reader of the key would notice, see Tx.ChangedQuietly
	Wakes bool   // quiet, but what clients wait for may be there now

	// Fields are the fields of a hash that it is about, where notifications want
	// to know (see Tx.Fields).
	Fields [][]byte
}

// Notice is an event that only keyspace notifications tell: a key was made, was
// replaced by another value, or was not found. Nothing changes by it beside what
// events say.
type Notice struct {
	At    int // how many of the commit's events come before it
	DB    int
	Key   string
	Class Class
	Name  string
}

// Effect is a command that repeats a change exactly: what the log stores.
type Effect = persist.Command

// Commit is what one command, or one EXEC, changed. It is lent to observers
// for the length of Committed; slices and strings' bytes are reused after it.
type Commit struct {
	Seq     uint64 // grows with every commit; for one key in the order of its changes
	At      int64  // Unix ms
	Origin  uint64 // client that caused it, 0 for the server itself
	Events  []Event
	Effects []Effect
	Notices []Notice // only where Keyspace.SetNotices asks for them
	Source  bool     // by a Tx with that field
	Served  bool     // those who wait for the keys have been served, see Tx.Served

	deferred []Deferred
}

// Observer hears of every commit, in order for each key. Shard locks are held:
// copy, queue, return. It must not call back into the keyspace.
type Observer interface{ Committed(*Commit) }
