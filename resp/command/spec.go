package command

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/observe"
	"github.com/nearcache/nearcache/resp/script"
)

// Flags say how a command behaves; the names are Redis' own.
type Flags uint32

// The flags that COMMAND reports, in its order.
const (
	Write Flags = 1 << iota
	ReadOnly
	DenyOOM
	FromModule // is a module's command in Redis
	Admin
	PubSub
	NoScript
	Blocking
	Loading
	Stale
	SkipMonitor
	SkipSlowlog
	Asking
	Fast
	NoAuth
	NoMandatoryKeys
	NoAsyncLoading
	NoMulti
	MovableKeys
	AllowBusy
	ScriptRunner

	// AllShards locks the whole keyspace around run (FLUSHALL). Not reported.
	AllShards
	// OwnLock rows have a key whose shard run locks itself, with Ctx.LockOwn: they
	// let go of it for what takes long (VSIM). Not reported.
	OwnLock
	// Opaque rows open their own views of the keyspace, shard by shard; an
	// EXEC that holds one locks everything. It is implied by having no keys and
	// not being Keyless. Not reported.
	Keyless // never looks at a key (PING, CLIENT …): EXEC need not lock for it
	// MayReplicate rows change no key, but what others see: a script that is read
	// only may not call them. Not reported.
	MayReplicate
)

var flagNames = []string{
	"write", "readonly", "denyoom", "module", "admin", "pubsub", "noscript", "blocking", "loading", "stale", "skip_monitor", "skip_slowlog",
	"asking", "fast", "no_auth", "no_mandatory_keys", "no_async_loading", "no_multi", "movablekeys", "allow_busy", "script_runner",
}

// Names lists the reported flags.
func (f Flags) Names() []string {
	var l []string
	for i, name := range flagNames {
		if f&(1<<i) != 0 {
			l = append(l, name)
		}
	}
	return l
}

// KeySpec says which arguments are keys: from First (1 is the first after the
// name) to Last (negative counts from the end, -1 is the last) by Step. First 0
// means none. Find overrides it where a count decides.
type KeySpec struct {
	First, Last, Step int
	Find              func(argv [][]byte) [][]byte
}

// Key specs of most commands.
var (
	NoKeys   = KeySpec{}
	OneKey   = KeySpec{First: 1, Last: 1, Step: 1}
	TwoKeys  = KeySpec{First: 1, Last: 2, Step: 1}
	AllKeys  = KeySpec{First: 1, Last: -1, Step: 1}
	KeyPairs = KeySpec{First: 1, Last: -1, Step: 2}
	SubKey   = KeySpec{First: 2, Last: 2, Step: 1} // OBJECT ENCODING key
)

// None reports whether the command names no key.
func (k KeySpec) None() bool { return k.First == 0 && k.Find == nil }

// Single reports whether the command names one key, at First.
func (k KeySpec) Single() bool { return k.First == k.Last && k.First > 0 && k.Find == nil }

// Each calls f with every key of argv, which has passed the arity check.
func (k KeySpec) Each(argv [][]byte, f func(key []byte)) {
	if k.Find != nil {
		for _, key := range k.Find(argv) {
			f(key)
		}
		return
	}
	if k.First == 0 {
		return
	}
	last := k.Last
	if last < 0 {
		last += len(argv)
	}
	for i := k.First; i <= last && i < len(argv); i += k.Step {
		f(argv[i])
	}
}

// Group is the family COMMAND DOCS reports.
type Group string

// The groups, with Redis' names.
const (
	GroupGeneric      Group = "generic"
	GroupString       Group = "string"
	GroupBitmap       Group = "bitmap"
	GroupHash         Group = "hash"
	GroupList         Group = "list"
	GroupSet          Group = "set"
	GroupSortedSet    Group = "sorted-set"
	GroupGeo          Group = "geo"
	GroupHyperLogLog  Group = "hyperloglog"
	GroupStream       Group = "stream"
	GroupPubSub       Group = "pubsub"
	GroupTransactions Group = "transactions"
	GroupConnection   Group = "connection"
	GroupServer       Group = "server"
	GroupSearch       Group = "search"
	GroupSuggestion   Group = "suggestion"
	GroupScripting    Group = "scripting"
	GroupModule       Group = "module"
)

// Arg describes an argument for COMMAND DOCS.
type Arg struct {
	Name            string
	Type            string // "string" "integer" "double" "key" "pattern" "unix-time" "pure-token" "oneof" "block"
	Token           string
	Shown           string // how it is displayed, where not by its name
	Summary         string
	Since           string
	DeprecatedSince string
	KeySpec         int // of a pattern of keys: which of the command's key specs it is about; the keys themselves count up
	Optional        bool
	Multiple        bool
	MultipleToken   bool  // the token comes again with each
	Args            []Arg // of a oneof or block
}

// Spec is a row of the command table.
type Spec struct {
	Name      string // lower case; for a subcommand its own word, without the parent
	Arity     int    // with the name (and the parent's); negative is a minimum
	Flags     Flags
	Keys      KeySpec
	Group     Group
	Since     string
	Summary   string
	Args      []Arg
	UpperCase bool // see Title

	// Of commands that Redis' own table does not hold; see commands.Reference.
	Complexity string
	Tips       []string

	Bind Binding

	// Locks, where a row has it, calls add with keys that are needed beside its
	// Keys, and reports whether all shards are. It may leave in the Ctx what run
	// needs to know of that.
	Locks func(c *Ctx, argv [][]byte, add func(key []byte)) (all bool)
	// Quick, where a row has it, does the command if that takes no time, in place of
	// Bind; false: it does, and nothing has happened yet.
	Quick func(c *Ctx, a *args.Parser) bool
	// FlagsFor are the row's Flags as its arguments change them.
	FlagsFor func(c *Ctx, argv [][]byte) Flags

	Sub []*Spec // subcommands; Bind is then used only where no word follows

	full string // "client|id"
	sub  names
	row  *observe.Row
}

// FlagsOf are the flags of the row with these arguments.
func (s *Spec) FlagsOf(c *Ctx, argv [][]byte) Flags {
	if s.FlagsFor != nil {
		return s.FlagsFor(c, argv)
	}
	return s.Flags
}

// FullName is "get", or "client|id" for a subcommand.
func (s *Spec) FullName() string { return s.full }

// Title is FullName as Redis writes it in replies: of vector sets in upper case.
func (s *Spec) Title() string {
	if s.UpperCase {
		return strings.ToUpper(s.full)
	}
	return s.full
}

// FullNamePtr is where FullName is kept, so that it can be published without
// an allocation. It must not be written to.
func (s *Spec) FullNamePtr() *string { return &s.full }

// Match finds the subcommand of that name in any case; nil where there is none.
func (s *Spec) Match(word []byte) *Spec { return s.sub.find(word) }

// ArityOK reports whether n arguments, names included, are acceptable.
func (s *Spec) ArityOK(n int) bool {
	return n == s.Arity || s.Arity < 0 && n >= -s.Arity
}

// NeedsAll reports whether an EXEC holding this command must lock every shard.
func (s *Spec) NeedsAll() bool {
	return s.Flags&AllShards != 0 || s.Flags&Keyless == 0 && s.Keys.None()
}

// Row is what is known of the command's runs; nil for no command.
func (s *Spec) Row() *observe.Row {
	if s == nil {
		return nil
	}
	return s.row
}

// Binding ties a row to its code. Make it with Bind.
type Binding struct {
	Exec  func(*Ctx, *args.Parser) error // parse, lock, run, commit
	Parse func(*args.Parser) error       // parse only: touches nothing but its arguments
}

// Bind makes a binding of a pure parse and a run. A run writes exactly one
// reply and returns nil, or writes nothing and returns an error.
func Bind[P any](parse func(*args.Parser) P, run func(*Ctx, P) error) Binding {
	return Binding{
		Exec: func(c *Ctx, a *args.Parser) error {
			p := parse(a)
			a.Done()
			if err := a.Err(); err != nil {
				return err
			}
			if err := c.open(); err != nil {
				return err
			}
			err := run(c, p)
			c.close()
			return err
		},
		Parse: func(a *args.Parser) error {
			parse(a)
			a.Done()
			return a.Err()
		},
	}
}

// None is the parse of commands without arguments.
func None(*args.Parser) struct{} { return struct{}{} }

// Table finds rows by name.
type Table struct {
	Observer *observe.Observer // of the rows' commands
	rows     []*Spec
	by       names
}

// NewTable indexes rows. It panics on a row without code or with a name twice:
// that is a mistake in the list, seen at the first start.
func NewTable(rows ...[]*Spec) *Table {
	t := &Table{Observer: observe.New()}
	for _, l := range rows {
		for _, row := range l {
			s := row.clone("", t.Observer)
			if s.Bind.Exec == nil && len(s.Sub) == 0 {
				panic("command table: " + s.Name)
			}
			t.rows = append(t.rows, s)
		}
	}
	t.by = index(t.rows)
	return t
}

// quick are the commands that Redis does not call fast, and that take no more time.
var quick = []string{
	"set", "setex", "psetex", "mset", "del", "getrange", "substr", "setrange", "setbit",
	"lindex", "lset", "lmove", "rpoplpush", "rename", "object|encoding", "object|freq", "object|idletime", "object|refcount",
}

// clone copies a row and its subcommands and fills what the table adds. Rows
// are shared by all tables of the process, and so never written to.
func (s *Spec) clone(parent string, o *observe.Observer) *Spec {
	c := *s
	c.full = parent + s.Name
	c.row = o.Add(c.full, s.Flags&Fast != 0, s.Flags&Blocking == 0 && (s.Flags&Fast != 0 || slices.Contains(quick, c.full)))
	c.Sub = nil
	for _, x := range s.Sub {
		k := x.clone(s.Name+"|", o)
		if k.Bind.Exec == nil {
			panic("command table: " + k.full)
		}
		c.Sub = append(c.Sub, k)
	}
	c.sub = index(c.Sub)
	return &c
}

// All lists the rows in their order.
func (t *Table) All() []*Spec { return t.rows }

// Find returns the row of a name in any case, nil where there is none.
func (t *Table) Find(name []byte) *Spec { return t.by.find(name) }

// names finds rows by name in any case: open addressing, half empty. A map
// would need a lower-case copy first; this is on the path of every command.
type names []*Spec

func index(rows []*Spec) names {
	if len(rows) == 0 {
		return nil
	}
	n := 1 << bits.Len(uint(2*len(rows)))
	t := make(names, n)
	for _, s := range rows {
		if t.find([]byte(s.Name)) != nil {
			panic("command table: two rows are named " + s.full)
		}
		i := int(foldHash([]byte(s.Name))) & (n - 1)
		for t[i] != nil {
			i = (i + 1) & (n - 1)
		}
		t[i] = s
	}
	return t
}

func (t names) find(name []byte) *Spec {
	if len(t) == 0 || len(name) > maxName {
		return nil
	}
	for i := int(foldHash(name)) & (len(t) - 1); t[i] != nil; i = (i + 1) & (len(t) - 1) {
		if equalFold(t[i].Name, name) {
			return t[i]
		}
	}
	return nil
}

// maxName is longer than every command's name.
const maxName = 32

// foldHash is FNV-1a over the name with bit 5 set, which makes letters lower case.
func foldHash(name []byte) uint32 {
	h := uint32(2166136261)
	for _, b := range name {
		h = (h ^ uint32(b|0x20)) * 16777619
	}
	return h ^ h>>16
}

// equalFold compares with a lower-case name.
func equalFold(lower string, name []byte) bool {
	if len(lower) != len(name) {
		return false
	}
	for i, b := range name {
		if 'A' <= b && b <= 'Z' {
			b |= 0x20
		}
		if b != lower[i] {
			return false
		}
	}
	return true
}

// KeysOf says where a command with so many arguments, the name included, has
// its keys, for those who know it only by a name; ok is false where that needs
// the arguments themselves.
func (t *Table) KeysOf(name, sub string, args int) (k script.Keys, ok bool) {
	s := t.Find([]byte(name))
	if s != nil && len(s.Sub) > 0 {
		s = s.Match([]byte(sub))
	}
	if s == nil || s.Locks != nil || s.Keys.Find != nil || s.NeedsAll() {
		return k, false
	}
	return script.Keys{First: s.Keys.First, Last: s.Keys.Last, Step: s.Keys.Step}, true
}
