package commands

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/vset"
	"github.com/nearcache/nearcache/store/types/vset/filter"
)

var vectorSetCommands = []*command.Spec{
	vAddCommand, vRemCommand, vSimCommand, vDimCommand, vCardCommand, vEmbCommand, vLinksCommand, vInfoCommand,
	vSetAttrCommand, vGetAttrCommand, vRandMemberCommand, vIsMemberCommand, vRangeCommand,
}

// Errors of vector sets.
const (
	errVector         resp.Error = "ERR invalid vector specification"
	errVectorEF       resp.Error = "ERR invalid EF"
	errVectorM        resp.Error = "ERR invalid M"
	errVAddOption     resp.Error = "ERR invalid option after element"
	errVAddQuant      resp.Error = "ERR asked quantization mismatch with existing vector set"
	errVAddM          resp.Error = "ERR asked M value mismatch with existing vector set"
	errVAddProjection resp.Error = "ERR cannot add projection to existing set without projection"
	errVSimElement    resp.Error = "ERR element not found in set"
	errVSimCount      resp.Error = "ERR invalid COUNT"
	errVSimEpsilon    resp.Error = "ERR invalid EPSILON"
	errVSimFilterEF   resp.Error = "ERR invalid FILTER-EF"
	errVSimSyntax     resp.Error = "ERR syntax error in VSIM command"
	errVectorOption   resp.Error = "ERR invalid option"
	errVectorSetGone  resp.Error = "ERR key does not exist"
	errVRandCount     resp.Error = "ERR COUNT value is not an integer"
	errVRandRange     resp.Error = "ERR COUNT value is out of range"
	errVRangeCount    resp.Error = "ERR invalid COUNT value"
	errVRangeStart    resp.Error = "ERR invalid start range format"
	errVRangeEnd      resp.Error = "ERR invalid end range format"
	errVRangeEnds     resp.Error = "ERR '-' can only be used as first argument, '+' only as second"
)

const (
	maxVectorEF        = 1_000_000
	defaultVSimCount   = 10
	effortPerResult    = 100     // FILTER-EF is so many times COUNT
	maxVRandDuplicates = 1 << 20 // one command should not end the process
)

var vectorFormat = []command.Arg{flagArg("fp32", "FP32"), flagArg("values", "VALUES")}

// asVectorSet is the vector set of an entry, nil where there is no entry.
func asVectorSet(e *store.Entry) (*vset.Value, error) {
	if e == nil {
		return nil, nil
	}
	if v, ok := e.Value().(*vset.Value); ok {
		return v, nil
	}
	return nil, resp.ErrWrongType
}

// getVectorSet finds a vector set for reading, nil where there is none.
func getVectorSet(c *command.Ctx, key []byte) (*vset.Value, error) {
	return asVectorSet(c.Tx.Get(key))
}

// getElement finds an element for reading; false where there is no set or element.
func getElement(c *command.Ctx, key, name []byte) (vset.Element, bool, error) {
	v, err := getVectorSet(c, key)
	if v == nil {
		return vset.Element{}, false, err
	}
	x, ok := v.Find(name)
	return x, ok, nil
}

// vectorArg is a vector as it stands in a command.
type vectorArg struct {
	v      []float32
	raw    []byte // in place of v, from a log
	reduce int    // 0: not said
	words  int    // how many it takes
}

// parseVector reads [REDUCE dim] FP32 blob | VALUES n x1 … xn from the beginning of
// words; false for what is none.
func parseVector(words [][]byte, mayReduce bool) (a vectorArg, ok bool) {
	if mayReduce && len(words) > 2 && args.EqualFold(words[0], "REDUCE") {
		n, ok := resp.ParseInt(words[1])
		if !ok || n <= 0 {
			return a, false
		}
		a.reduce = int(uint32(n)) // as Redis keeps it
		a.words, words = 2, words[2:]
	}
	if len(words) < 2 {
		return a, false
	}
	switch {
	case args.EqualFold(words[0], "FP32"):
		blob := words[1]
		if len(blob)%4 != 0 || len(blob) == 0 || len(blob)/4 > vset.MaxDim {
			return a, false
		}
		a.v = make([]float32, len(blob)/4)
		for i := range a.v {
			a.v[i] = math.Float32frombits(binary.LittleEndian.Uint32(blob[4*i:]))
		}
		a.words += 2
	case args.EqualFold(words[0], "VALUES"):
		n, ok := resp.ParseInt(words[1])
		if !ok || n < 1 || n > vset.MaxDim || int(n) > len(words)-2 {
			return a, false
		}
		a.v = make([]float32, n)
		for i := range a.v {
			x, ok := args.ParseFloat(words[2+i])
			if !ok {
				return a, false
			}
			a.v[i] = float32(x)
		}
		a.words += 2 + int(n)
	default:
		return a, false
	}
	return a, a.reduce <= len(a.v)
}

func dimMismatch(got, has int) error {
	return resp.Error(fmt.Sprintf("ERR Vector dimension mismatch - got %d but set has %d", got, has))
}

func inputMismatch(got, expects int) error {
	return resp.Error(fmt.Sprintf("ERR Input dimension mismatch for projection - got %d but projection expects %d", got, expects))
}

var vAddCommand = &command.Spec{
	Name: "vadd", Arity: -5, Flags: command.Write | command.DenyOOM | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "8.0.0", UpperCase: true,
	Summary: "Add one or more elements to a vector set, or update its vector if it already exists",
	Args: []command.Arg{
		keyArg,
		{Name: "reduce", Type: "block", Token: "REDUCE", Optional: true, Args: []command.Arg{{Name: "dim", Type: "integer"}}},
		{Name: "format", Type: "oneof", Args: vectorFormat},
		{Name: "vector", Type: "string"},
		elementArg,
		optional(flagArg("cas", "CAS")),
		{Name: "quant_type", Type: "oneof", Optional: true, Args: []command.Arg{flagArg("noquant", "NOQUANT"), flagArg("bin", "BIN"), flagArg("q8", "Q8")}},
		{Name: "build-exploration-factor", Type: "integer", Token: "EF", Optional: true},
		{Name: "attributes", Type: "string", Token: "SETATTR", Optional: true},
		{Name: "numlinks", Type: "integer", Token: "M", Optional: true},
	},
	Bind: command.Bind(parseVAdd, runVAdd),
}

type vAddArgs struct {
	key, element []byte
	vector       vectorArg
	attr         []byte // nil: not said
	quant        vset.Quant
	m, ef        int
}

func parseVAdd(p *args.Parser) vAddArgs {
	a := vAddArgs{key: p.Bytes(), quant: vset.Q8, m: vset.DefaultM, ef: vset.DefaultEF}
	words := p.Rest()
	fail := p.Fail
	if len(words) > 2 && string(words[0]) == "RAW" {
		a.vector = vectorArg{raw: words[1], words: 2}
		fail = func(error) { p.Fail(errVector) } // of a client, whose words are no format
	} else {
		var ok bool
		if a.vector, ok = parseVector(words, true); !ok {
			p.Fail(errVector)
			return a
		}
	}
	if words = words[a.vector.words:]; len(words) == 0 {
		fail(resp.WrongArgs("VADD"))
		return a
	}
	a.element, words = words[0], words[1:]
	// number reads the number behind the word.
	number := func(least, most int64, err error) int {
		n, ok := resp.ParseInt(words[1])
		if !ok || n < least || n > most {
			fail(err)
		}
		words = words[1:]
		return int(n)
	}
	for ; len(words) > 0 && p.Err() == nil; words = words[1:] {
		more := len(words) > 1
		switch w := words[0]; {
		case args.EqualFold(w, "CAS"): // each is done without holding back others
		case args.EqualFold(w, "EF") && more:
			a.ef = number(1, maxVectorEF, errVectorEF)
		case args.EqualFold(w, "M") && more:
			a.m = number(vset.MinM, vset.MaxM, errVectorM)
		case args.EqualFold(w, "SETATTR") && more:
			a.attr = words[1]
			if a.attr == nil {
				a.attr = []byte{}
			}
			words = words[1:]
		case args.EqualFold(w, "NOQUANT"):
			a.quant = vset.F32
		case args.EqualFold(w, "BIN"):
			a.quant = vset.Bin
		case args.EqualFold(w, "Q8"):
			a.quant = vset.Q8
		default:
			fail(errVAddOption)
		}
	}
	return a
}

func runVAdd(c *command.Ctx, a vAddArgs) error {
	if a.vector.raw != nil && c.S.ID != 0 { // a client's, not a log's
		return errVector
	}
	e := c.Tx.Find(a.key)
	v, err := asVectorSet(e)
	if err != nil {
		return err
	}
	p, err := vAddParams(v, a)
	if err != nil {
		return err
	}
	if v == nil {
		v = vset.New(p)
	}
	vector := a.vector.v
	if p.Input > 0 && vector != nil {
		vector = p.Project(vector)
	}
	var job *vset.Job
	var added, ok bool
	if a.vector.raw != nil {
		added, job, ok = v.SetRaw(a.element, a.attr, a.vector.raw, a.ef)
	} else {
		added, job, ok = v.Set(a.element, a.attr, vector, a.ef)
	}
	if !ok {
		return errVector
	}
	if e == nil {
		e = c.Tx.Put(a.key, v, false)
	}
	if job != nil {
		vInsert(c, job)
	}
	c.Tx.Changed(e, store.ClassModule, "")
	c.W.Bool(added)
	return nil
}

// vInsert has an insertion done before the reply leaves. In a transaction that is
// at once: the next command may search. While a log is loaded it is done later, if a saved graph has not
// the vector already.
func vInsert(c *command.Ctx, job *vset.Job) {
	switch {
	case c.Catalog.Loading():
		job.Postpone()
	case c.InExec:
		job.Do()
	default:
		c.Tx.Defer(job)
	}
}

// vAddParams are those of the set, or of the one that is to be made if v is nil.
func vAddParams(v *vset.Value, a vAddArgs) (p vset.Params, err error) {
	dim, reduce := len(a.vector.v), a.vector.reduce
	if a.vector.raw != nil {
		var input int
		var ok bool
		if dim, input, ok = vset.ParseRaw(a.vector.raw); !ok {
			return p, errVector
		}
		if input > 0 {
			dim, reduce = input, dim
		}
	}
	if v == nil {
		p = vset.Params{Dim: dim, Quant: a.quant, M: a.m}
		if reduce > 0 {
			p.Dim, p.Input = reduce, dim
		}
		return p, nil
	}
	p = v.Params
	switch {
	case p.Quant != a.quant:
		return p, errVAddQuant
	case p.M != a.m:
		return p, errVAddM
	case p.Input == 0 && p.Dim != dim || p.Input > 0 && p.Dim != reduce:
		return p, dimMismatch(dim, p.Dim)
	case reduce > 0 && p.Input == 0:
		return p, errVAddProjection
	case p.Input > 0 && dim != p.Input:
		return p, inputMismatch(dim, p.Input)
	}
	return p, nil
}

var vRemCommand = &command.Spec{
	Name: "vrem", Arity: 3, Flags: command.Write | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "8.0.0", UpperCase: true,
	Summary: "Remove an element from a vector set",
	Args:    []command.Arg{keyArg, elementArg},
	Bind:    command.Bind(parsePair, runVRem),
}

func runVRem(c *command.Ctx, a pair) error {
	e := c.Tx.Find(a.a)
	v, err := asVectorSet(e)
	if err != nil {
		return err
	}
	removed := v != nil && v.Remove(a.b)
	if removed {
		c.Tx.Changed(e, store.ClassModule, "")
		if v.Len() == 0 {
			c.Tx.Delete(a.a, "")
		}
	}
	c.W.Bool(removed)
	return nil
}

var vSimCommand = &command.Spec{
	Name: "vsim", Arity: -4, Flags: command.ReadOnly | command.FromModule | command.OwnLock, Keys: command.OneKey, Group: command.GroupModule, Since: "8.0.0", UpperCase: true,
	Summary: "Return elements by vector similarity",
	Args: []command.Arg{
		keyArg,
		{Name: "format", Type: "oneof", Args: []command.Arg{flagArg("ele", "ELE"), vectorFormat[0], vectorFormat[1]}},
		{Name: "vector_or_element", Type: "string"},
		withScores,
		optional(flagArg("withattribs", "WITHATTRIBS")),
		{Name: "count", Type: "integer", Token: "COUNT", Optional: true},
		{Name: "max_distance", Type: "double", Token: "EPSILON", Optional: true},
		{Name: "search-exploration-factor", Type: "integer", Token: "EF", Optional: true},
		{Name: "expression", Type: "string", Token: "FILTER", Optional: true},
		{Name: "max-filtering-effort", Type: "integer", Token: "FILTER-EF", Optional: true},
		optional(flagArg("truth", "TRUTH")),
		optional(flagArg("nothread", "NOTHREAD")),
	},
	Bind: command.Bind((*args.Parser).Rest, runVSim),
}

// vSimOptions are what stands behind VSIM's vector.
type vSimOptions struct {
	vset.Query
	scores, attribs bool
}

func parseVSimOptions(words [][]byte) (o vSimOptions, err error) {
	o = vSimOptions{Query: vset.Query{Count: defaultVSimCount, Epsilon: 2}}
	for ; len(words) > 0; words = words[1:] {
		more := len(words) > 1
		// number reads the number behind the word.
		number := func(most int64, wrong error) int {
			n, ok := resp.ParseInt(words[1])
			if !ok || n <= 0 || n > most {
				err = wrong
			}
			words = words[1:]
			return int(n)
		}
		switch w := words[0]; {
		case args.EqualFold(w, "WITHSCORES"):
			o.scores = true
		case args.EqualFold(w, "WITHATTRIBS"):
			o.attribs = true
		case args.EqualFold(w, "TRUTH"):
			o.Truth = true
		case args.EqualFold(w, "NOTHREAD"): // the client's own thread searches in any case
		case args.EqualFold(w, "COUNT") && more:
			o.Count = number(math.MaxInt64, errVSimCount)
		case args.EqualFold(w, "EPSILON") && more:
			x, ok := args.ParseFloat(words[1])
			if !ok || x <= 0 {
				err = errVSimEpsilon
			}
			o.Epsilon, words = float32(x), words[1:]
		case args.EqualFold(w, "EF") && more:
			o.EF = number(maxVectorEF, errVectorEF)
		case args.EqualFold(w, "FILTER-EF") && more:
			o.Effort = number(math.MaxInt64, errVSimFilterEF)
		case args.EqualFold(w, "FILTER") && more:
			o.Filter, err = compileFilter(words[1])
			words = words[1:]
		default:
			err = errVSimSyntax
		}
		if err != nil {
			return o, err
		}
	}
	if o.Effort == 0 {
		o.Effort = effortPerResult * min(o.Count, math.MaxInt/effortPerResult)
	}
	return o, nil
}

func compileFilter(expression []byte) (*filter.Program, error) {
	p, at := filter.Compile(expression)
	if p != nil {
		return p, nil
	}
	if at >= len(expression) {
		at = 0
	}
	rest, _, _ := bytes.Cut(expression[at:], []byte{0})
	return nil, resp.Error("ERR syntax error in FILTER expression near: " + string(rest))
}

func runVSim(c *command.Ctx, words [][]byte) error {
	c.Settle() // the elements that this client has added
	key := words[0]
	unlock, err := c.LockOwn(key)
	if err != nil {
		return err
	}
	v, err := getVectorSet(c, key)
	if err != nil {
		return err
	}
	if v == nil {
		c.W.Array(0)
		return nil
	}
	vector, words, err := vSimVector(v, words[1:])
	if err != nil {
		return err
	}
	o, err := parseVSimOptions(words)
	if err != nil {
		return err
	}
	s, ok := v.Begin(vector)
	if !ok {
		return errVector
	}
	defer s.End()
	o.Count = min(o.Count, v.Len())
	if !s.Locked() {
		unlock()
	}
	writeVSim(c.W, s.Run(o.Query), o)
	return nil
}

// vSimVector reads the vector of VSIM, and returns what is behind it.
func vSimVector(v *vset.Value, words [][]byte) (vector []float32, rest [][]byte, err error) {
	if args.EqualFold(words[0], "ELE") {
		x, ok := v.Find(words[1])
		if !ok {
			return nil, nil, errVSimElement
		}
		return x.Vector(nil), words[2:], nil
	}
	a, ok := parseVector(words, false)
	if !ok {
		return nil, nil, errVector
	}
	vector = a.v
	if v.Input > 0 && len(vector) != v.Dim {
		if len(vector) != v.Input {
			return nil, nil, inputMismatch(len(vector), v.Input)
		}
		vector = v.Project(vector)
	}
	if len(vector) != v.Dim {
		return nil, nil, dimMismatch(len(vector), v.Dim)
	}
	return vector, words[a.words:], nil
}

func writeVSim(w *resp.Writer, found []vset.Result, o vSimOptions) {
	each := 0
	if o.scores {
		each++
	}
	if o.attribs {
		each++
	}
	if each > 0 && w.Proto() == 3 {
		w.Map(len(found))
	} else {
		w.Array(len(found) * (1 + each))
	}
	for _, r := range found {
		w.BulkString(r.Name)
		if each == 2 && w.Proto() == 3 {
			w.Array(2)
		}
		if o.scores {
			w.Double(1 - float64(r.Distance)/2)
		}
		switch {
		case o.attribs && r.Attr != nil:
			w.BulkString(*r.Attr)
		case o.attribs:
			w.Null()
		}
	}
}

var vDimCommand = &command.Spec{
	Name: "vdim", Arity: 2, Flags: command.ReadOnly | command.Fast | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "8.0.0", UpperCase: true,
	Summary: "Return the dimension of vectors in the vector set",
	Args:    []command.Arg{keyArg},
	Bind:    command.Bind((*args.Parser).Bytes, runVDim),
}

func runVDim(c *command.Ctx, key []byte) error {
	v, err := getVectorSet(c, key)
	if err != nil {
		return err
	}
	if v == nil {
		return errVectorSetGone
	}
	c.W.Int(int64(v.Dim))
	return nil
}

var vCardCommand = &command.Spec{
	Name: "vcard", Arity: 2, Flags: command.ReadOnly | command.Fast | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "8.0.0", UpperCase: true,
	Summary: "Return the number of elements in a vector set",
	Args:    []command.Arg{keyArg},
	Bind:    command.Bind((*args.Parser).Bytes, runVCard),
}

func runVCard(c *command.Ctx, key []byte) error {
	v, err := getVectorSet(c, key)
	if err != nil {
		return err
	}
	n := 0
	if v != nil {
		n = v.Len()
	}
	c.W.Int(int64(n))
	return nil
}

var vEmbCommand = &command.Spec{
	Name: "vemb", Arity: -3, Flags: command.ReadOnly | command.Fast | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "8.0.0", UpperCase: true,
	Summary: "Return the vector associated with an element",
	Args:    []command.Arg{keyArg, elementArg, optional(flagArg("raw", "RAW"))},
	Bind:    command.Bind(parseVEmb, runVEmb),
}

type vEmbArgs struct {
	key, element []byte
	raw          bool
}

func parseVEmb(p *args.Parser) vEmbArgs {
	a := vEmbArgs{key: p.Bytes(), element: p.Bytes()}
	for p.More() {
		if a.raw = p.Accept("RAW"); !a.raw {
			p.Fail(errVectorOption)
		}
	}
	return a
}

func runVEmb(c *command.Ctx, a vEmbArgs) error {
	x, ok, err := getElement(c, a.key, a.element)
	if err != nil {
		return err
	}
	if !ok {
		c.W.Null()
		return nil
	}
	if !a.raw {
		v := x.Vector(nil)
		c.W.Array(len(v))
		for _, f := range v {
			c.W.Double(float64(f))
		}
		return nil
	}
	row, length, most := x.Raw()
	n := 3
	if x.Quant() == vset.Q8 {
		n++
	}
	c.W.Array(n)
	c.W.Status(x.Quant().String())
	c.W.Bulk(row)
	c.W.Double(float64(length))
	if n > 3 {
		c.W.Double(float64(most))
	}
	return nil
}

var vLinksCommand = &command.Spec{
	Name: "vlinks", Arity: -3, Flags: command.ReadOnly | command.Fast | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "8.0.0", UpperCase: true,
	Summary: "Return the neighbors of an element at each layer in the HNSW graph",
	Args:    []command.Arg{keyArg, elementArg, withScores},
	Bind:    command.Bind(parseVLinks, runVLinks),
}

type vLinksArgs struct {
	key, element []byte
	scores       bool
}

func parseVLinks(p *args.Parser) vLinksArgs {
	a := vLinksArgs{key: p.Bytes(), element: p.Bytes(), scores: p.Accept("WITHSCORES")}
	if p.More() {
		p.Fail(resp.WrongArgs("VLINKS"))
	}
	return a
}

func runVLinks(c *command.Ctx, a vLinksArgs) error {
	x, ok, err := getElement(c, a.key, a.element)
	if err != nil {
		return err
	}
	if !ok {
		c.W.Null()
		return nil
	}
	first := true
	x.Links(func(level int, to []vset.Result) {
		if first {
			c.W.Array(level + 1)
			first = false
		}
		if a.scores {
			c.W.Map(len(to))
		} else {
			c.W.Array(len(to))
		}
		for _, r := range to {
			c.W.BulkString(r.Name)
			if a.scores {
				c.W.Double(float64(float32(1 - float64(r.Distance)/2)))
			}
		}
	})
	return nil
}

var vInfoCommand = &command.Spec{
	Name: "vinfo", Arity: 2, Flags: command.ReadOnly | command.Fast | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "8.0.0", UpperCase: true,
	Summary: "Return information about a vector set",
	Args:    []command.Arg{keyArg},
	Bind:    command.Bind((*args.Parser).Bytes, runVInfo),
}

func runVInfo(c *command.Ctx, key []byte) error {
	v, err := getVectorSet(c, key)
	if err != nil {
		return err
	}
	if v == nil {
		c.W.NullArray()
		return nil
	}
	c.W.Map(9)
	c.W.Status("quant-type")
	c.W.Status(v.Quant.String())
	for _, f := range []struct {
		name string
		n    int
	}{
		{"hnsw-m", v.M},
		{"vector-dim", v.Dim},
		{"projection-input-dim", v.Input},
		{"size", v.Len()},
		{"max-level", v.Levels()},
		{"attributes-count", v.Attributes()},
		{"vset-uid", int(v.ID)},
		{"hnsw-max-node-uid", int(v.Last)},
	} {
		c.W.Status(f.name)
		c.W.Int(int64(f.n))
	}
	return nil
}

var vSetAttrCommand = &command.Spec{
	Name: "vsetattr", Arity: 4, Flags: command.Write | command.Fast | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "8.0.0", UpperCase: true,
	Summary: "Associate or remove the JSON attributes of elements",
	Args:    []command.Arg{keyArg, elementArg, {Name: "json", Type: "string"}},
	Bind:    command.Bind(parseVSetAttr, runVSetAttr),
}

type vSetAttrArgs struct{ key, element, attr []byte }

func parseVSetAttr(p *args.Parser) vSetAttrArgs {
	return vSetAttrArgs{p.Bytes(), p.Bytes(), p.Bytes()}
}

func runVSetAttr(c *command.Ctx, a vSetAttrArgs) error {
	e := c.Tx.Find(a.key)
	v, err := asVectorSet(e)
	if err != nil {
		return err
	}
	done := false
	if v != nil {
		var x vset.Element
		if x, done = v.Find(a.element); done {
			x.SetAttr(a.attr)
			c.Tx.Changed(e, store.ClassModule, "")
		}
	}
	c.W.Bool(done)
	return nil
}

var vGetAttrCommand = &command.Spec{
	Name: "vgetattr", Arity: 3, Flags: command.ReadOnly | command.Fast | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "8.0.0", UpperCase: true,
	Summary: "Retrieve the JSON attributes of elements",
	Args:    []command.Arg{keyArg, elementArg},
	Bind:    command.Bind(parsePair, runVGetAttr),
}

func runVGetAttr(c *command.Ctx, a pair) error {
	x, ok, err := getElement(c, a.a, a.b)
	if err != nil {
		return err
	}
	attr := ""
	if ok {
		attr, ok = x.Attr()
	}
	if ok {
		c.W.BulkString(attr)
	} else {
		c.W.Null()
	}
	return nil
}

var vRandMemberCommand = &command.Spec{
	Name: "vrandmember", Arity: -2, Flags: command.ReadOnly | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "8.0.0", UpperCase: true,
	Summary: "Return one or multiple random members from a vector set",
	Args:    []command.Arg{keyArg, {Name: "count", Type: "integer", Optional: true}},
	Bind:    command.Bind(parseVRandMember, runVRandMember),
}

type vRandMemberArgs struct {
	key    []byte
	count  int64
	counts bool
}

func parseVRandMember(p *args.Parser) vRandMemberArgs {
	a := vRandMemberArgs{key: p.Bytes(), counts: p.More()}
	if !a.counts {
		return a
	}
	word := p.Bytes()
	if p.More() {
		p.Fail(resp.WrongArgs("VRANDMEMBER"))
		return a
	}
	n, ok := resp.ParseInt(word)
	switch {
	case !ok:
		p.Fail(errVRandCount)
	case n == math.MinInt64:
		p.Fail(errVRandRange)
	}
	a.count = n
	return a
}

func runVRandMember(c *command.Ctx, a vRandMemberArgs) error {
	if a.counts && a.count == 0 {
		c.W.Array(0)
		return nil
	}
	v, err := getVectorSet(c, a.key)
	switch {
	case err != nil:
		return err
	case v == nil && a.counts:
		c.W.Array(0)
	case v == nil:
		c.W.Null()
	case !a.counts:
		c.W.BulkString(v.Random())
	case a.count < -maxVRandDuplicates:
		return errVRandRange
	case a.count < 0:
		c.W.Array(int(-a.count))
		for range -a.count {
			c.W.BulkString(v.Random())
		}
	default:
		n := int(min(a.count, int64(v.Len())))
		c.W.Array(n)
		v.Sample(n, c.W.BulkString)
	}
	return nil
}

var vIsMemberCommand = &command.Spec{
	Name: "vismember", Arity: 3, Flags: command.ReadOnly | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "8.2.0", UpperCase: true,
	Summary: "Check if an element exists in a vector set",
	Args:    []command.Arg{keyArg, elementArg},
	Bind:    command.Bind(parsePair, runVIsMember),
}

func runVIsMember(c *command.Ctx, a pair) error {
	_, ok, err := getElement(c, a.a, a.b)
	if err != nil {
		return err
	}
	c.W.Bool(ok)
	return nil
}

var vRangeCommand = &command.Spec{
	Name: "vrange", Arity: -4, Flags: command.ReadOnly | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "8.4.0", UpperCase: true,
	Summary: "Return vector set elements in a lex range",
	Args:    []command.Arg{keyArg, {Name: "start", Type: "string"}, {Name: "end", Type: "string"}, {Name: "count", Type: "integer", Optional: true}},
	Bind:    command.Bind(parseVRange, runVRange),
}

// vRangeEnd is an end of a range: - or +, or a name with [ or (.
type vRangeEnd struct {
	kind byte
	name string
}

func parseVRangeEnd(b []byte) (e vRangeEnd, ok bool) {
	if len(b) == 0 {
		return e, false
	}
	switch e = (vRangeEnd{b[0], string(b[1:])}); e.kind {
	case '-', '+':
		return e, len(b) == 1
	case '[', '(':
		return e, len(b) > 1
	}
	return e, false
}

type vRangeArgs struct {
	key        []byte
	start, end vRangeEnd
	count      int64 // below 0: all
}

func parseVRange(p *args.Parser) vRangeArgs {
	a := vRangeArgs{key: p.Bytes(), count: -1}
	start, end := p.Bytes(), p.Bytes()
	if p.More() {
		word := p.Bytes()
		if p.More() {
			p.Fail(resp.WrongArgs("VRANGE"))
			return a
		}
		var ok bool
		if a.count, ok = resp.ParseInt(word); !ok {
			p.Fail(errVRangeCount)
			return a
		}
	}
	var ok bool
	if a.start, ok = parseVRangeEnd(start); !ok {
		p.Fail(errVRangeStart)
		return a
	}
	if a.end, ok = parseVRangeEnd(end); !ok {
		p.Fail(errVRangeEnd)
		return a
	}
	if a.start.kind == '+' || a.end.kind == '-' {
		p.Fail(errVRangeEnds)
	}
	return a
}

func runVRange(c *command.Ctx, a vRangeArgs) error {
	v, err := getVectorSet(c, a.key)
	if err != nil {
		return err
	}
	at, n := c.W.Len(), 0
	if v != nil {
		v.Range(a.start.name, func(name string) bool {
			switch {
			case a.start.kind == '(' && name == a.start.name:
				return true
			case a.count >= 0 && int64(n) >= a.count, a.end.kind == '[' && name > a.end.name, a.end.kind == '(' && name >= a.end.name:
				return false
			}
			c.W.BulkString(name)
			n++
			return true
		})
	}
	c.W.ArrayFrom(at, n)
	return nil
}
