package aggregate

// key is a property of rows.
type key struct {
	name    string
	slot    int
	loaded  bool // from the document, as it is there
	made    bool // by the query: APPLY, a metric, the score
	hidden  bool
	numeric bool
}

// lookup is the properties that rows have at a part of the pipeline, in the order
// in which a reply has them.
type lookup struct {
	keys   []*key
	byName map[string]*key
	width  int // slots
	schema func(string) (Field, bool)
	all    bool // LOAD * went before
	first  bool // rows are documents, so that fields may be loaded
}

func newLookup() *lookup { return &lookup{byName: map[string]*key{}} }

func (l *lookup) add(k key) *key {
	k.slot = l.width
	l.width++
	l.keys = append(l.keys, &k)
	l.byName[k.name] = &k
	return &k
}

// replace makes old another property of the same name, place and slot.
func (l *lookup) replace(old *key, k key) *key {
	k.slot = old.slot
	*old = k
	return old
}

// write is the property that a step makes; nil if it is there already and may not
// be made another one.
func (l *lookup) write(name string, override bool) *key {
	k := key{name: name, made: true}
	old := l.byName[name]
	switch {
	case old == nil:
		return l.add(k)
	case !override:
		return nil
	}
	return l.replace(old, k)
}

// field is a field of the schema.
func (l *lookup) field(name string) (Field, bool) {
	if !l.first || l.schema == nil {
		return Field{}, false
	}
	return l.schema(name)
}

// read is a property that is there, or a SORTABLE field, which need not be loaded
// by name; want says what must be loaded for it, nil if nothing. Without a
// property of the name it is nil.
func (l *lookup) read(name string) (k *key, want *Want) {
	if k = l.byName[name]; k != nil {
		return k, nil
	}
	f, ok := l.field(name)
	if !ok || !f.Sortable && !l.all {
		return nil, nil
	}
	k = l.add(key{name: name, numeric: f.Numeric})
	if l.all && f.Identifier == name {
		return k, nil // LOAD * gives it its value
	}
	return k, &Want{Identifier: f.Identifier, Slot: k.slot, Numeric: f.Numeric, Fold: f.Fold && !l.all}
}

// load makes a property of a field of the document; a nil want says that it is
// there already. The path is a name of the schema, or else the field's own.
func (l *lookup) load(name, path string, hidden bool) (k *key, want *Want, known bool) {
	old := l.byName[name]
	if old != nil && (old.loaded || old.made) {
		return old, nil, true
	}
	f, known := l.field(path)
	n := key{name: name, loaded: true, hidden: hidden, numeric: f.Numeric}
	if !known {
		f.Identifier = path
	}
	if old != nil {
		k = l.replace(old, n)
	} else {
		k = l.add(n)
	}
	return k, &Want{Identifier: f.Identifier, Slot: k.slot, Numeric: f.Numeric}, known
}
