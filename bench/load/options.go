package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// peerSpec is a server as the command line names it: by address, or by the
// command that starts it.
type peerSpec struct {
	name string
	addr string
	argv []string // {port} and {dir} stand for a free port and an empty folder
	own  bool     // built from this checkout
}

type options struct {
	peers       []peerSpec
	tests       []string
	pipelines   []int
	valueSizes  []int
	connections int
	searchConns int
	threads     int
	rounds      int
	duration    time.Duration
	warmup      time.Duration
	keys        int
	dist        string
	zipf        float64
	seed        uint64
	name        string
	out         string
	plainNet    bool
}

// stall is how long a server may be silent before the run is given up.
const stall = 10 * time.Second

var nameRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// plain are the settings under which peers are compared: nothing on disk.
const plain = " --port {port} --dir {dir} --appendonly no --save ''"

func parseOptions(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("load", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Func("peer", "`NAME=HOST:PORT` of a running server; may be repeated. Its data are flushed", func(s string) error {
		name, addr, ok := strings.Cut(s, "=")
		if !ok || !strings.Contains(addr, ":") {
			return errors.New("want NAME=HOST:PORT")
		}
		o.peers = append(o.peers, peerSpec{name: name, addr: addr})
		return nil
	})
	fs.Func("start", "`NAME=COMMAND` that starts a server, with {port} and {dir} in it; may be repeated", func(s string) error {
		name, cmd, ok := strings.Cut(s, "=")
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
		o.peers = append(o.peers, peerSpec{name: name, argv: argv})
		return nil
	})
	nearcache := fs.Bool("nearcache", false, "build nearcache from this checkout and start it")
	redis := fs.String("redis", "", "start this redis-server (`PATH`)")
	tests := fs.String("tests", "get,set", "comma-separated: "+testNames())
	pipelines := fs.String("pipeline", "1,16,64", "commands in flight on a connection, comma-separated")
	sizes := fs.String("value-size", "64", "bytes of a value, comma-separated")
	fs.IntVar(&o.connections, "connections", 50, "connections")
	fs.IntVar(&o.searchConns, "search-connections", 4, "connections of the search tests, which run without pipelining")
	fs.IntVar(&o.threads, "threads", 1, "threads of the generator")
	fs.IntVar(&o.rounds, "rounds", 5, "rounds; in each every peer is measured once")
	fs.DurationVar(&o.duration, "duration", 3*time.Second, "one measurement")
	fs.DurationVar(&o.warmup, "warmup", 500*time.Millisecond, "load before each measurement that is not counted")
	fs.IntVar(&o.keys, "keys", 100_000, "keys")
	fs.StringVar(&o.dist, "keys-dist", "uniform", "how keys are chosen: uniform or zipf")
	fs.Float64Var(&o.zipf, "zipf", 0.99, "exponent of zipf")
	fs.Uint64Var(&o.seed, "seed", 1, "of keys and values")
	fs.StringVar(&o.name, "name", "load", "name of the result files")
	fs.StringVar(&o.out, "out", "", "folder of the result files (default bench/results of the checkout; - writes none)")
	fs.BoolVar(&o.plainNet, "goroutines", false, "a goroutine for each connection instead of epoll")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("argument %q", fs.Arg(0))
	}
	// Ours comes first, Redis last: the ratio is to the last.
	if *nearcache {
		argv, _ := splitWords("nearcache" + plain)
		o.peers = slices.Insert(o.peers, 0, peerSpec{name: "nearcache", argv: argv, own: true})
	}
	if *redis != "" {
		argv, _ := splitWords("redis" + plain)
		argv[0] = *redis
		o.peers = append(o.peers, peerSpec{name: "redis", argv: argv})
	}
	o.tests = strings.Split(*tests, ",")
	var err error
	if o.pipelines, err = ints("pipeline", *pipelines, 1, 10_000); err != nil {
		return nil, err
	}
	if o.valueSizes, err = ints("value-size", *sizes, 1, 16<<20); err != nil {
		return nil, err
	}
	return o, o.validate()
}

func testNames() string {
	names := make([]string, len(workloads))
	for i, w := range workloads {
		names[i] = w.name
	}
	return strings.Join(names, ", ")
}

func (o *options) validate() error {
	if len(o.peers) == 0 {
		return errors.New("no server: name some by -nearcache, -redis, -peer or -start")
	}
	seen := map[string]bool{}
	for _, p := range o.peers {
		if !nameRule.MatchString(p.name) {
			return fmt.Errorf("peer name %q", p.name)
		}
		if seen[p.name] {
			return fmt.Errorf("two peers are called %q", p.name)
		}
		seen[p.name] = true
	}
	for _, t := range o.tests {
		if _, err := workloadNamed(t); err != nil {
			return fmt.Errorf("%w; there are %s", err, testNames())
		}
	}
	for _, c := range []struct {
		what     string
		n, least int
		most     int
	}{
		{"connections", o.connections, 1, 10_000},
		{"search-connections", o.searchConns, 1, 10_000},
		{"threads", o.threads, 1, 256},
		{"rounds", o.rounds, 1, 1000},
		{"keys", o.keys, 1, maxKeys},
	} {
		if c.n < c.least || c.n > c.most {
			return fmt.Errorf("-%s %d, %d to %d are possible", c.what, c.n, c.least, c.most)
		}
	}
	if o.duration < 10*time.Millisecond || o.warmup < 0 {
		return fmt.Errorf("-duration %v -warmup %v", o.duration, o.warmup)
	}
	if !nameRule.MatchString(o.name) {
		return fmt.Errorf("-name %q: letters, digits, dot, dash and underscore", o.name)
	}
	_, err := newSampler(o.dist, 1, o.zipf, 0)
	return err
}

func ints(flag, list string, least, most int) ([]int, error) {
	var out []int
	for f := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(f))
		if err != nil || n < least || n > most {
			return nil, fmt.Errorf("-%s %q: numbers from %d to %d", flag, list, least, most)
		}
		out = append(out, n)
	}
	return out, nil
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

// commandLine shows how the program was called; of paths that begin at the
// root only the last name is kept.
func commandLine(args []string) string {
	out := []string{"go run ./bench/load"}
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
