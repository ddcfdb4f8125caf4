package keyspace

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
	"strings"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
)

// options are the flags of all commands.
type options struct {
	servers   peer.Specs
	parts     string
	keys      int
	hashes    int
	maxMemory string
	churn     time.Duration
	due       int
	readers   int
	rate      int
	slow      int
	out       string
}

// report is what a run has found; its JSON is the file beside the tables.
type report struct {
	Date    string       `json:"date"`
	Commit  string       `json:"commit"`
	Command string       `json:"command"`
	Machine peer.Machine `json:"machine"`
	Keys    []keysRow    `json:"keys,omitempty"`
	Text    []textRow    `json:"text,omitempty"`
	GC      *gcRow       `json:"gc,omitempty"`
	Churn   []churnRow   `json:"churn,omitempty"`
	Expiry  []expiryRow  `json:"expiry,omitempty"`
	Slow    []slowRow    `json:"slow,omitempty"`
}

// bench is what a part works with.
type bench struct {
	*options
	context.Context
	specs    []peer.Spec
	at       peer.Place
	progress io.Writer
}

// Memory carries out the command `nearcache bench memory`.
func Memory(args []string, stdout, stderr io.Writer) error {
	return run("bench memory", "keys,hash,text", args, stdout, stderr, func(fs *flag.FlagSet, o *options) {
		fs.IntVar(&o.keys, "keys", 10_000_000, "strings of the parts keys and gc")
		fs.IntVar(&o.hashes, "hashes", 1_000_000, "hashes of the part hash")
		fs.StringVar(&o.maxMemory, "maxmemory", "256mb", "limit of the part churn")
		fs.DurationVar(&o.churn, "churn", 10*time.Minute, "how long the part churn takes")
	})
}

// Expiry carries out the command `nearcache bench expiry`.
func Expiry(args []string, stdout, stderr io.Writer) error {
	return run("bench expiry", "expiry", args, stdout, stderr, func(fs *flag.FlagSet, o *options) {
		fs.IntVar(&o.due, "due", 1_000_000, "keys that fall due within one second")
		fs.IntVar(&o.readers, "readers", 4, "connections that read others")
		fs.IntVar(&o.rate, "rate", 2000, "reads a second of each connection")
	})
}

// Slow carries out the command `nearcache bench slow`.
func Slow(args []string, stdout, stderr io.Writer) error {
	return run("bench slow", "slow", args, stdout, stderr, func(fs *flag.FlagSet, o *options) {
		fs.IntVar(&o.slow, "clients", 1000, "connections that read nothing")
		fs.IntVar(&o.readers, "readers", 4, "connections that read")
		fs.IntVar(&o.rate, "rate", 2000, "reads a second of each of these")
	})
}

func run(name, parts string, args []string, stdout, stderr io.Writer, more func(*flag.FlagSet, *options)) error {
	o := &options{}
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(stderr)
	o.servers.Flags(fs)
	if strings.Contains(parts, ",") {
		fs.StringVar(&o.parts, "parts", parts, "what to measure, of keys, hash, text, gc and churn")
	} else {
		o.parts = parts
	}
	more(fs, o)
	fs.StringVar(&o.out, "out", "", "write the tables to `FILE`.md, the figures to FILE.json, and bytes a key to FILE.svg")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if err := o.run(stdout, stderr, peer.CommandLine("nearcache "+name, args)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// parts are what there is to measure.
var parts = map[string]func(*bench, *report) error{
	"keys": (*bench).measureKeys, "hash": (*bench).measureHashes, "text": (*bench).measureTexts,
	"gc": (*bench).measureGC, "churn": (*bench).measureChurn, "expiry": (*bench).measureExpiry,
	"slow": (*bench).measureSlow,
}

func (o *options) run(stdout, stderr io.Writer, command string) error {
	names := strings.Split(o.parts, ",")
	for _, p := range names {
		if parts[p] == nil {
			return fmt.Errorf("part %q: there are keys, hash, text, gc and churn", p)
		}
	}
	b := &bench{options: o, progress: stderr}
	var err error
	if o.parts != "gc" {
		if b.specs, err = o.servers.List(); err != nil {
			return err
		}
	}
	if b.at, err = peer.NewPlace(); err != nil {
		return err
	}
	defer b.at.Remove()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b.Context = ctx
	r := &report{
		Date: time.Now().UTC().Format("2006-01-02"), Commit: peer.Commit(b.at.Root), Machine: peer.ThisMachine(), Command: command,
	}
	for _, p := range names {
		if err := parts[p](b, r); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	r.write(stdout)
	if o.out == "" {
		return nil
	}
	var text strings.Builder
	r.write(&text)
	figures, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	base := strings.TrimSuffix(o.out, filepath.Ext(o.out))
	err = errors.Join(os.WriteFile(base+".md", []byte(text.String()), 0o644), os.WriteFile(base+".json", append(figures, '\n'), 0o644))
	if chart := r.chart(); chart != nil && err == nil {
		err = os.WriteFile(base+".svg", chart, 0o644)
	}
	return err
}

func (r *report) write(w io.Writer) {
	fmt.Fprintf(w, "# Keys: memory, expiry, slow readers\n\n%s, commit %s, %s (%d cores), %s\n\n    %s\n", r.Date, r.Commit, r.Machine.CPU, r.Machine.Cores, r.Machine.Go, r.Command)
	r.writeKeys(w)
	r.writeTexts(w)
	r.writeGC(w)
	r.writeChurn(w)
	r.writeExpiry(w)
	r.writeSlow(w)
}

// ratio is a figure beside that of the last server.
func ratio(x, last float64) string {
	if last == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", x/last)
}
