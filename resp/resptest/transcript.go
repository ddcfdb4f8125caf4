package resptest

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/indextest"
)

// Target is the server that a transcript runs against.
type Target struct {
	Addr string // host:port or the path of a unix socket
	Ours bool   // nearcache, not Redis: blocks marked @theirs are left out, else @ours
}

// Transcript is a file of commands and replies. The form is told in the
// package's documentation.
type Transcript struct {
	Path   string
	protos []int // the protocol versions it is for
	ours   bool  // the whole file is for nearcache only
	needs  []string
	blocks []*block
}

type block struct {
	line  int      // of the first command
	head  []string // comments, directives and commands as they stand in the file
	steps []step
	only  string // "ours", "theirs" or nothing
	table bool   // each command has its reply on the same line, after ->

	want  []Value // as RESP3 replies
	want2 []Value // as RESP2 replies, where they are not want lowered
	has2  bool
}

// step is one line: a command or one of the runner's own.
type step struct {
	text       string // as it stands in the file, without -> and the reply
	conn       string
	args       []string
	op         string // "", "read", "drain", "reset", "close", "raw"
	sorted     bool
	pairs      bool
	eventually bool
	send       bool
	n          int
}

// ReadTranscript reads a file.
func ReadTranscript(path string) (*Transcript, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t, err := ParseTranscript(string(b))
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	t.Path = path
	return t, nil
}

// ParseTranscript reads a transcript from its text.
func ParseTranscript(text string) (*Transcript, error) {
	t := &Transcript{protos: []int{2, 3}}
	var b *block
	var replies, replies2 []string
	part := 0 // 0 commands, 1 replies, 2 replies in RESP2
	finish := func() error {
		if b == nil {
			return nil
		}
		var err error
		if b.want, err = ParseValues(strings.Join(replies, "\n")); err != nil {
			return fmt.Errorf("%d: %w", b.line, err)
		}
		if b.want2, err = ParseValues(strings.Join(replies2, "\n")); err != nil {
			return fmt.Errorf("%d: %w", b.line, err)
		}
		t.blocks = append(t.blocks, b)
		b, replies, replies2, part = nil, nil, nil, 0
		return nil
	}
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		if trimmed == "" {
			if err := finish(); err != nil {
				return nil, err
			}
			continue
		}
		if b == nil {
			b = &block{line: i + 1}
		}
		switch {
		case trimmed == "----":
			part = 1
		case trimmed == "---- resp2":
			part, b.has2 = 2, true
		case part == 1:
			replies = append(replies, line)
		case part == 2:
			replies2 = append(replies2, line)
		default:
			reply, err := t.headLine(b, trimmed)
			if err != nil {
				return nil, fmt.Errorf("%d: %w", i+1, err)
			}
			if reply != "" {
				b.table = true
				for len(replies) < len(b.steps)-1 {
					replies = append(replies, Value{Kind: Missing}.String())
				}
				replies = append(replies, reply)
			}
		}
	}
	return t, finish()
}

// headLine reads a line above the replies: a comment, a directive, or a command,
// perhaps with its reply after an arrow.
func (t *Transcript) headLine(b *block, line string) (reply string, err error) {
	text := line
	if len(b.steps) > 0 && line[0] == '#' {
		return "", errors.New("a comment stands above the commands of its block")
	}
	switch {
	case line[0] == '#':
	case line == "@file ours":
		t.ours = true
	case line == "@file resp2":
		t.protos = []int{2}
	case line == "@file resp3":
		t.protos = []int{3}
	case strings.HasPrefix(line, "@file needs "):
		t.needs = append(t.needs, strings.Fields(line)[2:]...)
	case line == "@ours" || line == "@theirs":
		b.only = line[1:]
	default:
		s, rest, err := parseStep(line)
		if err != nil {
			return "", err
		}
		b.steps = append(b.steps, s)
		text, reply = s.text, rest
	}
	b.head = append(b.head, text)
	return reply, nil
}

func parseStep(line string) (s step, reply string, err error) {
	s.conn = "main"
	commands := line
	if name, rest, ok := strings.Cut(line, "> "); ok && isWord(name) {
		s.conn, commands = name, rest
	}
	args, reply, err := splitArgs(commands)
	if err != nil {
		return s, "", err
	}
	s.text = line
	if reply != "" {
		s.text = strings.TrimSpace(strings.TrimSuffix(strings.TrimSuffix(line, reply), "-> "))
	}
	for len(args) > 0 && strings.HasPrefix(args[0], "@") {
		switch word := args[0][1:]; word {
		case "sorted":
			s.sorted = true
		case "sortedpairs":
			s.sorted, s.pairs = true, true
		case "eventually":
			s.eventually = true
		case "send":
			s.send = true
		case "read", "drain", "reset", "close", "raw":
			s.op = word
		default:
			count, ok := strings.CutPrefix(word, "replies=")
			if s.n, err = strconv.Atoi(count); !ok || err != nil || s.n < 0 {
				return s, "", fmt.Errorf("unknown directive @%s", word)
			}
		}
		args = args[1:]
	}
	s.args = args
	return s, reply, nil
}

// splitArgs splits a command line as redis-cli does, up to an arrow; what
// follows that is the reply. Arguments that hold a function, such as f32(1,0),
// are left for expand.
func splitArgs(line string) (args []string, reply string, err error) {
	for {
		line = strings.TrimLeft(line, " \t")
		if line == "" {
			return args, "", nil
		}
		switch {
		case line[0] == '"':
			s, rest, err := unquote(line)
			if err != nil {
				return nil, "", err
			}
			if rest != "" && rest[0] != ' ' {
				return nil, "", fmt.Errorf("text after a closing quote at %.40q", rest)
			}
			args, line = append(args, literal+s), rest
		case line[0] == '\'':
			s, rest, ok := strings.Cut(line[1:], "'")
			if !ok {
				return nil, "", fmt.Errorf("no closing quote at %.40q", line)
			}
			args, line = append(args, literal+s), rest
		default:
			word, rest, _ := strings.Cut(line, " ")
			if word == "->" {
				return args, rest, nil
			}
			args, line = append(args, word), rest
		}
	}
}

// literal marks an argument that was quoted and hence is not expanded.
const literal = "\x00quoted:"

// expand returns what an argument stands for: f32(1,0,0), f64(…), f16(…),
// bf16(…), i8(…) and u8(…) are vector blobs, rep(x,n) is x n times, now(+10) and nowms(+10) are Unix times, id(c2) is
// the client id of that connection.
func (r *run) expand(arg string) (string, error) {
	if s, ok := strings.CutPrefix(arg, literal); ok {
		return s, nil
	}
	name, inner, ok := strings.Cut(arg, "(")
	inner, closed := strings.CutSuffix(inner, ")")
	if !ok || !closed {
		return arg, nil
	}
	switch name {
	case "f32", "f64", "f16", "bf16", "i8", "u8":
		var v []float64
		for _, text := range strings.Split(inner, ",") {
			f, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return "", err
			}
			v = append(v, f)
		}
		return string(indextest.Blob(elements[name], v)), nil
	case "rep":
		s, _, err := unquote(arg)
		return s, err
	case "now", "nowms":
		d := 0
		if inner != "" {
			var err error
			if d, err = strconv.Atoi(inner); err != nil {
				return "", err
			}
		}
		if name == "now" {
			return strconv.FormatInt(time.Now().Unix()+int64(d), 10), nil
		}
		return strconv.FormatInt(time.Now().UnixMilli()+int64(d), 10), nil
	case "id":
		_, err := r.conn(inner)
		return r.ids[inner], err
	}
	return arg, nil
}

// elements are the types of vector blobs by the names of their functions.
var elements = map[string]index.Element{
	"f32": index.Float32, "f64": index.Float64, "f16": index.Float16,
	"bf16": index.BFloat16, "i8": index.Int8, "u8": index.Uint8,
}

// run is one pass of a transcript over one server in one protocol version.
type run struct {
	addr  string
	proto int
	conns map[string]*Conn
	ids   map[string]string // the connections' client ids
}

func (r *run) conn(name string) (*Conn, error) {
	if c := r.conns[name]; c != nil && !c.closed {
		return c, nil
	}
	c, err := Dial(r.addr, r.proto)
	if err != nil {
		return nil, err
	}
	r.conns[name], r.ids[name] = c, c.Do("CLIENT", "ID").Text
	return c, nil
}

func (r *run) closeAll() {
	for _, c := range r.conns {
		c.Close()
	}
	clear(r.conns)
}

// reset brings the server to where every transcript begins.
func (r *run) reset() error {
	var ids []string
	for name := range r.conns {
		if id := r.ids[name]; id != "" {
			ids = append(ids, id)
		}
	}
	r.closeAll()
	c, err := Dial(r.addr, 2)
	if err != nil {
		return err
	}
	defer c.Close()
	// A server that is not a single thread may notice the ends a moment later.
	for range 1000 {
		if len(ids) == 0 || c.Do(append([]string{"CLIENT", "LIST", "ID"}, ids...)...).Text == "" {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if v := c.Do("FLUSHALL"); v.Text != "OK" {
		return fmt.Errorf("FLUSHALL: %v", v)
	}
	return nil
}

// got is a reply with the protocol version that it came in.
type got struct {
	Value
	proto   int
	command string
}

// want returns v as the reply should be in the version that g came in.
func (g got) want(v Value) Value {
	if g.proto == 2 {
		return v.Lower()
	}
	return v
}

// block runs a block. The replies that it should give are needed for steps that
// wait for theirs.
func (r *run) block(b *block, want func(i int, g got) bool) ([]got, error) {
	var out []got
	for _, s := range b.steps {
		gots, err := r.step(s)
		if err != nil {
			return out, err
		}
		patience := Timeout
		if len(b.want) <= len(out) || b.want[len(out)].Kind == Missing {
			patience = Timeout / 20 // a new block: nothing to wait for is known
		}
		for deadline := time.Now().Add(patience); s.eventually && time.Now().Before(deadline); {
			if len(gots) == 1 && want(len(out), gots[0]) {
				break
			}
			time.Sleep(time.Millisecond)
			if gots, err = r.step(s); err != nil {
				return out, err
			}
		}
		out = append(out, gots...)
	}
	return out, nil
}

func (r *run) step(s step) ([]got, error) {
	if s.op == "reset" {
		return nil, r.reset()
	}
	c, err := r.conn(s.conn)
	if err != nil {
		return nil, err
	}
	args := make([]string, len(s.args))
	for i, a := range s.args {
		if args[i], err = r.expand(a); err != nil {
			return nil, err
		}
	}
	var vs []Value
	many := len(args) > 0 && slices.Contains(subscribing, strings.ToUpper(args[0]))
	switch {
	case s.op == "close":
		delete(r.conns, s.conn)
		return nil, c.Close()
	case s.op == "raw":
		c.Write(strings.Join(args, " "))
		if !s.send {
			vs = append(vs, c.reply())
		}
	case s.op == "read":
		for range max(1, s.n) {
			vs = append(vs, c.Next())
		}
	case s.op == "drain":
		vs = []Value{{Kind: Array, Elems: c.Drain()}}
	case s.send:
		c.Send(args...)
	case many || s.n > 0:
		n := s.n
		if n == 0 {
			n = max(1, len(args)-1)
		}
		vs = c.DoMany(n, args...)
	default:
		vs = append(vs, c.Do(args...))
	}
	var out []got
	for _, v := range vs {
		if s.sorted {
			v = v.Sorted(s.pairs)
		}
		g := got{Value: v, proto: c.Proto}
		if len(args) > 0 {
			g.command = strings.ToUpper(args[0])
		}
		out = append(out, g)
	}
	return out, nil
}

// skip says whether a block is not for the target.
func (b *block) skip(t Target) bool {
	return b.only == "ours" && !t.Ours || b.only == "theirs" && t.Ours
}

// Skip says why the whole transcript is not for the target, or nothing.
func (t *Transcript) Skip(target Target) (string, error) {
	if t.ours && !target.Ours {
		return "it is for nearcache only", nil
	}
	if len(t.needs) == 0 {
		return "", nil
	}
	c, err := Dial(target.Addr, 2)
	if err != nil {
		return "", err
	}
	defer c.Close()
	for _, name := range t.needs {
		v := c.Do("COMMAND", "INFO", name)
		if v.Kind != Array || len(v.Elems) != 1 {
			return "", fmt.Errorf("COMMAND INFO %s: %v", name, v)
		}
		if v.Elems[0].Kind != Array {
			return "the server has no command " + name, nil
		}
	}
	return "", nil
}

// Run sends the transcript's commands to the target, in each protocol version
// that it is for, and reports every block whose replies are others.
func (t *Transcript) Run(tb testing.TB, target Target) {
	tb.Helper()
	for _, proto := range t.protos {
		err := t.pass(target, proto, func(b *block, gots []got) {
			if !b.match(gots, proto) {
				tb.Errorf("%s:%d (RESP%d)\n%s", t.Path, b.line, proto, b.difference(gots, proto))
			}
		})
		if err != nil {
			tb.Errorf("%s: %v", t.Path, err)
		}
	}
}

// pass runs the transcript once.
func (t *Transcript) pass(target Target, proto int, each func(*block, []got)) error {
	r := &run{addr: target.Addr, proto: proto, conns: map[string]*Conn{}, ids: map[string]string{}}
	if err := r.reset(); err != nil {
		return err
	}
	for _, b := range t.blocks {
		if len(b.steps) == 0 || b.skip(target) {
			continue
		}
		gots, err := r.block(b, func(i int, g got) bool {
			w := b.wanted(proto)
			return i < len(w) && b.matchOne(w[i], g, proto)
		})
		if err != nil {
			r.closeAll()
			return fmt.Errorf("line %d: %w", b.line, err)
		}
		each(b, gots)
	}
	return r.reset()
}

// wanted returns the block's replies for a pass: as RESP3 unless the block has
// its own for RESP2.
func (b *block) wanted(proto int) []Value {
	if proto == 2 && b.has2 {
		return b.want2
	}
	return b.want
}

func (b *block) matchOne(want Value, g got, proto int) bool {
	if proto == 2 && b.has2 {
		return want.Match(g.Value)
	}
	return g.want(want).Match(g.Value)
}

func (b *block) match(gots []got, proto int) bool {
	want := b.wanted(proto)
	if len(want) != len(gots) {
		return false
	}
	for i, g := range gots {
		if !b.matchOne(want[i], g, proto) {
			return false
		}
	}
	return true
}

// difference shows what is not as it should be: the commands with other replies
// alone where each has one, else the whole block.
func (b *block) difference(gots []got, proto int) string {
	want := b.wanted(proto)
	lowered := func(v Value) Value {
		if proto == 2 && !b.has2 {
			return v.Lower()
		}
		return v
	}
	var s strings.Builder
	if len(want) == len(b.steps) && len(gots) == len(want) {
		for i, g := range gots {
			if !b.matchOne(want[i], g, proto) {
				fmt.Fprintf(&s, "%s\n  want %s\n  got  %s", b.steps[i].text, g.want(want[i]), show(gots[i:i+1]))
			}
		}
		return s.String()
	}
	s.WriteString(strings.Join(b.head, "\n") + "\nwant\n")
	for _, v := range want {
		s.WriteString(lowered(v).String() + "\n")
	}
	return s.String() + "got\n" + show(gots)
}

func show(gots []got) string {
	var s strings.Builder
	for _, g := range gots {
		s.WriteString(g.String())
		if g.Kind == Closed && g.Text != "" {
			s.WriteString(" # " + g.Text)
		}
		s.WriteString("\n")
	}
	return s.String()
}

// Rewrite runs the transcript and returns its text with the replies that the
// target gave. Replies that match already stay, so patterns survive.
func (t *Transcript) Rewrite(target Target) (string, error) {
	gots := map[int]map[*block][]got{}
	for _, proto := range t.protos {
		gots[proto] = map[*block][]got{}
		err := t.pass(target, proto, func(b *block, g []got) { gots[proto][b] = g })
		if err != nil {
			return "", err
		}
	}
	first := t.protos[len(t.protos)-1]
	for _, b := range t.blocks {
		main, ran := gots[first][b]
		if !ran {
			continue
		}
		old, old2 := b.want, b.want2
		b.want = nil
		for i, g := range main {
			v := loosen(g.command, g.Value)
			if i < len(old) && g.want(old[i]).Match(g.Value) {
				v = old[i]
			}
			b.want = append(b.want, v)
		}
		b.has2, b.want2 = false, nil
		low, ran := gots[2][b]
		if !ran || first == 2 || b.match(low, 2) {
			continue
		}
		b.has2 = true
		for i, g := range low {
			v := loosen(g.command, g.Value)
			if i < len(old2) && old2[i].Match(g.Value) {
				v = old2[i]
			}
			b.want2 = append(b.want2, v)
		}
	}
	return t.text(), nil
}

// stands is for how many seconds a machine may stand still between two commands.
const stands = 30

// loosen makes a pattern of a reply that holds a time, which is another in the
// next run: a time to live becomes a range, a moment near now any number.
func loosen(command string, v Value) Value {
	for i, e := range v.Elems {
		if i == 0 {
			v.Elems = slices.Clone(v.Elems)
		}
		v.Elems[i] = loosen(command, e)
	}
	n, err := strconv.ParseInt(v.Text, 10, 64)
	if v.Kind != Int || err != nil {
		return v
	}
	now := time.Now()
	near := func(a, b int64) bool { return max(a, b)-min(a, b) < b/100 }
	switch {
	case n > 1<<32 && strings.HasSuffix(command, "TTL"):
		return Value{Kind: Int, wildcard: true}
	case near(n, now.Unix()), near(n, now.UnixMilli()):
		return Value{Kind: Int, wildcard: true}
	case (command == "TTL" || command == "HTTL") && n > 5:
		return Value{Kind: Int, low: n - min(n/2, stands), high: n + 1}
	case (command == "PTTL" || command == "HPTTL") && n > 5000:
		return Value{Kind: Int, low: n - n%1000 - min(n/2000, stands)*1000, high: n - n%1000 + 1000}
	}
	return v
}

func (t *Transcript) text() string {
	var s strings.Builder
	for i, b := range t.blocks {
		if i > 0 {
			s.WriteByte('\n')
		}
		b.write(&s)
	}
	return s.String()
}

// write writes a block: as a table where it has several commands with a reply of
// one line each, else with the replies below the commands.
func (b *block) write(s *strings.Builder) {
	table := !b.has2 && len(b.want) == len(b.steps) && (b.table || len(b.steps) > 1)
	for _, v := range b.want {
		table = table && !strings.Contains(v.String(), "\n")
	}
	if table {
		width := 0
		for _, st := range b.steps {
			if len(st.text) <= maxColumn {
				width = max(width, len(st.text))
			}
		}
		for i, line := range b.head {
			n := i - (len(b.head) - len(b.steps)) // comments and directives come first
			if n >= 0 {
				line = fmt.Sprintf("%-*s -> %s", width, line, b.want[n])
			}
			s.WriteString(line + "\n")
		}
		return
	}
	s.WriteString(strings.Join(b.head, "\n") + "\n")
	if len(b.want)+len(b.want2) == 0 {
		return
	}
	s.WriteString("----\n")
	for _, v := range b.want {
		s.WriteString(v.String() + "\n")
	}
	if b.has2 {
		s.WriteString("---- resp2\n")
		for _, v := range b.want2 {
			s.WriteString(v.String() + "\n")
		}
	}
}

// maxColumn is the longest command that moves the arrows of its table.
const maxColumn = 60
