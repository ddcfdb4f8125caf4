package types

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
	"regexp"
	"strings"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
)

// options are the flags.
type options struct {
	servers peer.Specs
	parts   string
	match   *regexp.Regexp
	rounds  int
	turn    time.Duration
	out     string
}

// report is what a run has found; its JSON is the file beside the tables.
type report struct {
	Date    string       `json:"date"`
	Commit  string       `json:"commit"`
	Command string       `json:"command"`
	Machine peer.Machine `json:"machine"`
	Servers []string     `json:"servers"`
	Cost    []costRow    `json:"cost,omitempty"`
	Memory  []memoryRow  `json:"memory,omitempty"`
}

// Run carries out the command `nearcache bench types`.
func Run(args []string, stdout, stderr io.Writer) error {
	var o options
	fs := flag.NewFlagSet("bench types", flag.ContinueOnError)
	fs.SetOutput(stderr)
	o.servers.Flags(fs)
	fs.StringVar(&o.parts, "parts", "cost,memory", "what to measure")
	match := fs.String("match", "", "measure the cases whose names this expression matches")
	fs.IntVar(&o.rounds, "rounds", 5, "turns of each server in a case")
	fs.DurationVar(&o.turn, "turn", 100*time.Millisecond, "about how long a turn takes")
	fs.StringVar(&o.out, "out", "", "write the tables to `FILE`.md and the figures to FILE.json")
	if err := fs.Parse(args); err != nil {
		return err
	}
	err := o.run(stdout, stderr, *match, args)
	if err != nil {
		return fmt.Errorf("bench types: %w", err)
	}
	return nil
}

func (o *options) run(stdout, stderr io.Writer, match string, args []string) error {
	var err error
	if o.match, err = regexp.Compile(match); err != nil {
		return err
	}
	for part := range strings.SplitSeq(o.parts, ",") {
		if part != "cost" && part != "memory" {
			return fmt.Errorf("part %q: there are cost and memory", part)
		}
	}
	if o.rounds < 1 || o.turn <= 0 {
		return errors.New("rounds and turn are positive")
	}
	specs, err := o.servers.List()
	if err != nil {
		return err
	}
	if len(specs) < 2 {
		return errors.New("name two servers: the last is what the others are compared with")
	}
	at, err := peer.NewPlace()
	if err != nil {
		return err
	}
	defer at.Remove()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r := &report{
		Date: time.Now().UTC().Format("2006-01-02"), Commit: peer.Commit(at.Root), Machine: peer.ThisMachine(),
		Command: peer.CommandLine("nearcache bench types", args),
	}
	for _, s := range specs {
		r.Servers = append(r.Servers, s.Name)
	}
	if strings.Contains(o.parts, "cost") {
		if r.Cost, err = o.cost(ctx, specs, &at, stderr); err != nil {
			return err
		}
	}
	if strings.Contains(o.parts, "memory") {
		if r.Memory, err = o.memory(ctx, specs, &at, stderr); err != nil {
			return err
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
	return errors.Join(os.WriteFile(base+".md", []byte(text.String()), 0o644), os.WriteFile(base+".json", append(figures, '\n'), 0o644))
}

func (r *report) write(w io.Writer) {
	fmt.Fprintf(w, "# Data types\n\n%s, commit %s, %s (%d cores), %s\n\n    %s\n", r.Date, r.Commit, r.Machine.CPU, r.Machine.Cores, r.Machine.Go, r.Command)
	if len(r.Cost) > 0 {
		fmt.Fprintf(w, "\n## Commands on large values\n\nMicroseconds a command over one connection, and the time divided by that of %s (below 1 is faster).\n\n", r.Servers[len(r.Servers)-1])
		r.writeCost(w)
	}
	if len(r.Memory) > 0 {
		fmt.Fprintf(w, "\n## Bytes an element\n\nWhat the server says it uses, and in brackets what its process has grown by, divided by the number of elements.\n\n")
		r.writeMemory(w)
	}
}

func head(w io.Writer, first string, columns []string) {
	fmt.Fprintf(w, "| %s |", first)
	for _, c := range columns {
		fmt.Fprintf(w, " %s |", c)
	}
	fmt.Fprint(w, "\n|---|")
	for range columns {
		fmt.Fprint(w, "--:|")
	}
	fmt.Fprintln(w)
}
