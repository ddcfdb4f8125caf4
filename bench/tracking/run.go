package tracking

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
	"github.com/nearcache/nearcache/resp/client"
)

// bench is one run.
type bench struct {
	ctx      context.Context
	addr     string
	ctl      *client.Conn
	progress io.Writer
	clients  int
	ops      int64
	seed     uint64
	figures  []figure
}

// figure is a row of the result.
type figure struct {
	Part   string `json:"part"`
	What   string `json:"what"`
	Value  string `json:"value"`
	Wanted string `json:"wanted,omitempty"`
	Bad    bool   `json:"bad,omitempty"` // a mistake, whatever the machine
}

func (b *bench) figure(part, what, wanted string, bad bool, value string, args ...any) {
	b.figures = append(b.figures, figure{part, what, fmt.Sprintf(value, args...), wanted, bad})
}

var parts = []struct {
	name string
	run  func(*bench) error
}{
	{"soak", (*bench).soak},
	{"order", (*bench).order},
	{"latency", (*bench).latency},
	{"churn", (*bench).churn},
	{"memory", (*bench).memory},
}

// Run carries out the command `nearcache bench tracking`.
func Run(args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("bench tracking", flag.ContinueOnError)
	fs.SetOutput(stderr)
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	which := fs.String("parts", strings.Join(names, ","), "which, comma-separated")
	addr := fs.String("addr", "", "`HOST:PORT` of a running server, whose data are flushed; default: one of this checkout is started")
	b := &bench{progress: stderr}
	fs.IntVar(&b.clients, "clients", 64, "clients of the soak")
	fs.Int64Var(&b.ops, "ops", 10_000_000, "operations of the soak, and a tenth of them replies of order")
	fs.Uint64Var(&b.seed, "seed", 1, "of what is random")
	out := fs.String("out", "", "folder of tracking.md and tracking.json (default bench/results of the checkout; - writes none)")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 || b.clients < 4 || b.clients > 10_000 || b.ops < 1000 {
		return errors.New("bench tracking: -clients 4 to 10000, -ops from 1000 on, and nothing behind the flags")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b.ctx = ctx
	root, err := peer.Checkout()
	if err != nil && (*addr == "" || *out == "") {
		return err
	}
	tmp, err := os.MkdirTemp("", "nearcache-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	spec := peer.Spec{Name: "server", Addr: *addr}
	if *addr == "" {
		spec = peer.Spec{Name: "nearcache", Own: true, Argv: []string{"nearcache", "--port", "{port}", "--dir", "{dir}", "--appendonly", "no", "--maxclients", "20000"}}
	}
	p, err := peer.Open(ctx, spec, root, tmp)
	if err != nil {
		return err
	}
	defer p.Close()
	b.addr, b.ctl = p.Addr, p.Ctl
	for _, name := range strings.Split(*which, ",") {
		i := slices.Index(names, name)
		if i < 0 {
			return fmt.Errorf("bench tracking: no part %q; there are %s", name, strings.Join(names, ", "))
		}
		start := time.Now()
		fmt.Fprintf(stderr, "%s …\n", name)
		if err := parts[i].run(b); err != nil {
			return fmt.Errorf("bench tracking: %s: %w", name, err)
		}
		fmt.Fprintf(stderr, "%s took %.1f s\n", name, time.Since(start).Seconds())
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	m := peer.ThisMachine()
	text := fmt.Sprintf("# Client tracking\n\n%s, %d cores, %s, %s. %s, commit %s.\n\n    nearcache bench tracking %s\n\n| part | what | figure | wanted |\n|---|---|---|---|\n",
		m.CPU, m.Cores, m.OS, m.Go, time.Now().UTC().Format(time.RFC3339), peer.Commit(root), strings.Join(args, " "))
	bad := 0
	for _, f := range b.figures {
		text += fmt.Sprintf("| %s | %s | %s | %s |\n", f.Part, f.What, f.Value, f.Wanted)
		if f.Bad {
			bad++
		}
	}
	fmt.Fprint(stdout, text)
	if *out != "-" {
		dir := *out
		if dir == "" {
			dir = filepath.Join(root, "bench", "results")
		}
		j, err := json.MarshalIndent(map[string]any{"machine": m, "commit": peer.Commit(root), "command": args, "figures": b.figures}, "", "  ")
		if err != nil {
			return err
		}
		if err := errors.Join(os.WriteFile(filepath.Join(dir, "tracking.md"), []byte(text), 0o644), os.WriteFile(filepath.Join(dir, "tracking.json"), append(j, '\n'), 0o644)); err != nil {
			return err
		}
	}
	if bad > 0 {
		return fmt.Errorf("bench tracking: %d figures show a mistake", bad)
	}
	return nil
}

func (b *bench) dial(push func(client.Value)) (*client.Conn, error) {
	return client.Dial(b.ctx, b.addr, client.Options{OnPush: push})
}

// set changes a setting and returns what sets it back.
func (b *bench) set(name, value string) (restore func(), err error) {
	v, err := b.ctl.Do("CONFIG", "GET", name)
	if err != nil {
		return nil, err
	}
	old, ok := v.Get(name)
	if !ok {
		return nil, fmt.Errorf("the server has no setting %s", name)
	}
	_, err = b.ctl.Do("CONFIG", "SET", name, value)
	return func() { _, _ = b.ctl.Do("CONFIG", "SET", name, old.Str) }, err
}

// info is a number of INFO.
func (b *bench) info(name string) (int64, error) {
	v, err := b.ctl.Do("INFO")
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(v.Str, "\n"+name+":")
	if !ok {
		return 0, fmt.Errorf("INFO has no %s", name)
	}
	rest, _, _ = strings.Cut(rest, "\r")
	return strconv.ParseInt(rest, 10, 64)
}

// quantile of sorted durations.
func quantile(l []time.Duration, q float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	return l[min(len(l)-1, int(q*float64(len(l))))]
}
