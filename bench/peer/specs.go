package peer

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Spec is a server as the command line names it: by address, or by the
// command that starts it.
type Spec struct {
	Name string
	Addr string
	Argv []string // {port} and {dir} stand for a free port and an empty folder
	Own  bool     // built from this checkout
	CPUs []int    // the cores a started server is bound to; nil: all
}

// Specs are the servers of a run; the last one is the reference.
type Specs struct {
	list      []Spec
	nearcache bool
	redis     string
	cpus      string
}

// NameRule is what names of servers and results may be.
var NameRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// plain are the settings under which peers are compared: nothing on disk.
const plain = " --port {port} --dir {dir} --appendonly no --save ''"

// Flags adds the flags that name servers.
func (s *Specs) Flags(fs *flag.FlagSet) {
	fs.Func("peer", "`NAME=HOST:PORT` of a running server; may be repeated. Its data are flushed", func(v string) error {
		name, addr, ok := strings.Cut(v, "=")
		if !ok || !strings.Contains(addr, ":") {
			return errors.New("want NAME=HOST:PORT")
		}
		s.list = append(s.list, Spec{Name: name, Addr: addr})
		return nil
	})
	fs.Func("start", "`NAME=COMMAND` that starts a server, with {port} and {dir} in it; may be repeated", func(v string) error {
		name, cmd, ok := strings.Cut(v, "=")
		if !ok {
			return errors.New("want NAME=COMMAND")
		}
		argv, err := splitWords(cmd)
		if err != nil {
			return err
		}
		if len(argv) == 0 || !strings.Contains(cmd, "{port}") {
			return errors.New("the command must hold {port}")
		}
		s.list = append(s.list, Spec{Name: name, Argv: argv})
		return nil
	})
	fs.BoolVar(&s.nearcache, "nearcache", false, "build nearcache from this checkout and start it")
	fs.StringVar(&s.redis, "redis", "", "start this redis-server (`PATH`)")
	fs.StringVar(&s.cpus, "server-cpu", "", "bind servers that are started to these `cores` (0 or 0,1); default all")
}

// List returns the servers after the flags are parsed: ours first, Redis last.
func (s *Specs) List() ([]Spec, error) {
	l := slices.Clone(s.list)
	if s.nearcache {
		argv, _ := splitWords("nearcache" + plain)
		l = slices.Insert(l, 0, Spec{Name: "nearcache", Argv: argv, Own: true})
	}
	if s.redis != "" {
		argv, _ := splitWords("redis" + plain)
		argv[0] = s.redis
		l = append(l, Spec{Name: "redis", Argv: argv})
	}
	if len(l) == 0 {
		return nil, errors.New("no server: name some by -nearcache, -redis, -peer or -start")
	}
	cpus, err := ParseCPUs(s.cpus)
	if err != nil {
		return nil, fmt.Errorf("-server-cpu %q: %w", s.cpus, err)
	}
	seen := map[string]bool{}
	for i, p := range l {
		if !NameRule.MatchString(p.Name) {
			return nil, fmt.Errorf("peer name %q", p.Name)
		}
		if seen[p.Name] {
			return nil, fmt.Errorf("two peers are called %q", p.Name)
		}
		seen[p.Name] = true
		l[i].CPUs = cpus
	}
	return l, nil
}

// Started is List for servers all of which have to be started.
func (s *Specs) Started() ([]Spec, error) {
	l, err := s.List()
	for _, spec := range l {
		if spec.Argv == nil {
			return nil, fmt.Errorf("%s: a server that is started is wanted", spec.Name)
		}
	}
	return l, err
}

// Place is where a benchmark starts servers.
type Place struct {
	Root string // the checkout
	Tmp  string // a folder for their data
}

// NewPlace returns one in the checkout that this program is run in, with a folder of its
// own in the system's for such. Remove is owed.
func NewPlace() (p Place, err error) {
	if p.Root, err = Checkout(); err == nil {
		p.Tmp, err = os.MkdirTemp("", "nearcache-bench-")
	}
	return p, err
}

// Open starts a server, where its spec is not of one that runs, with more arguments.
func (p *Place) Open(ctx context.Context, spec Spec, args ...string) (*Server, error) {
	return Open(ctx, spec.With(args...), p.Root, p.Tmp)
}

// OpenAll is Open for several.
func (p *Place) OpenAll(ctx context.Context, specs []Spec) ([]*Server, error) {
	return OpenAll(ctx, specs, p.Root, p.Tmp)
}

// Remove removes the folder.
func (p *Place) Remove() { _ = os.RemoveAll(p.Tmp) }

// With returns the command with more arguments, for a server that is started.
func (s Spec) With(args ...string) Spec {
	if s.Argv != nil {
		s.Argv = append(slices.Clone(s.Argv), args...)
	}
	return s
}

// ParseCPUs reads a list of cores; of an empty one it makes nil.
func ParseCPUs(list string) ([]int, error) {
	if list == "" {
		return nil, nil
	}
	var cpus []int
	for f := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(f))
		if err != nil || n < 0 || n > 1023 {
			return nil, fmt.Errorf("core %q", f)
		}
		cpus = append(cpus, n)
	}
	return cpus, nil
}

// splitWords splits at blanks; single or double quotes keep a word together,
// even an empty one.
func splitWords(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote rune
	inWord := false
	for _, r := range s {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == ' ':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote is not closed in %q", s)
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// CommandLine shows how a program was called; of paths that begin at the root
// only the last name is kept.
func CommandLine(program string, args []string) string {
	out := []string{program}
	for _, a := range args {
		words, err := splitWords(a)
		if err != nil || len(words) == 0 {
			words = []string{a}
		}
		for i, w := range words {
			before, path, ok := strings.Cut(w, "=")
			if !ok {
				before, path = "", w
			} else {
				before += "="
			}
			if filepath.IsAbs(path) {
				path = filepath.Base(path)
			}
			if words[i] = before + path; words[i] == "" {
				words[i] = "''"
			}
		}
		a = strings.Join(words, " ")
		if strings.Contains(a, " ") {
			a = strconv.Quote(a)
		}
		out = append(out, a)
	}
	return strings.Join(out, " ")
}
