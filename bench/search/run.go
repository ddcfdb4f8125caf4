package search

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
	servers  peer.Specs
	docs     int
	queries  int
	wide     int
	bulk     int
	conns    int
	pipeline int
	duration time.Duration
	match    *regexp.Regexp
	out      string
}

// Run carries out the command `nearcache bench search`.
func Run(args []string, stdout, stderr io.Writer) error {
	var o options
	fs := flag.NewFlagSet("bench search", flag.ContinueOnError)
	fs.SetOutput(stderr)
	o.servers.Flags(fs)
	fs.IntVar(&o.docs, "docs", 20000, "documents with text and vector")
	fs.IntVar(&o.queries, "queries", 200, "texts that are asked for, and of which the truth is known")
	fs.IntVar(&o.wide, "wide", 200000, "documents with a number and tags alone; 0: none")
	fs.IntVar(&o.bulk, "bulk", 20000, "documents with text and vector that are loaded while queries go on; 0: none")
	fs.IntVar(&o.conns, "conns", 4, "connections")
	fs.IntVar(&o.pipeline, "pipeline", 1, "queries that each connection sends at once; not while documents are loaded")
	fs.DurationVar(&o.duration, "duration", time.Second, "how long each case is asked")
	match := fs.String("match", "", "measure the cases whose names this expression matches")
	fs.StringVar(&o.out, "out", "", "write the tables to `FILE`.md, the figures to FILE.json and plots to FILE-*.svg")
	if err := fs.Parse(args); err != nil {
		return err
	}
	var err error
	if o.match, err = regexp.Compile(*match); err == nil {
		err = o.run(stdout, stderr, args)
	}
	if err != nil {
		return fmt.Errorf("bench search: %w", err)
	}
	return nil
}

func (o *options) run(stdout, stderr io.Writer, args []string) error {
	if o.docs < 1 || o.queries < 1 || o.conns < 1 || o.pipeline < 1 || o.duration <= 0 || o.wide < 0 || o.bulk < 0 {
		return errors.New("docs, queries, conns, pipeline and duration are positive")
	}
	specs, err := o.servers.List()
	if err != nil {
		return err
	}
	at, err := peer.NewPlace()
	if err != nil {
		return err
	}
	defer at.Remove()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	c, err := newCorpus(o.docs, o.queries)
	if err != nil {
		return err
	}
	r := &report{
		Date: time.Now().UTC().Format("2006-01-02"), Commit: peer.Commit(at.Root), Machine: peer.ThisMachine(),
		Command: peer.CommandLine("nearcache bench search", args), Docs: c.docs, Wide: o.wide, Bulk: o.bulk, Conns: o.conns, Pipeline: o.pipeline,
	}
	for _, spec := range specs {
		p, err := at.Open(ctx, spec)
		if err != nil {
			return err
		}
		s, err := o.measure(ctx, c, p, stderr)
		p.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", spec.Name, err)
		}
		r.Servers = append(r.Servers, s)
	}
	r.write(stdout)
	return r.save(o.out)
}

// measure takes all figures of one server.
func (o *options) measure(ctx context.Context, c *corpus, p *peer.Server, progress io.Writer) (serverResult, error) {
	s := serverResult{Name: p.Name, Version: p.Version}
	if _, err := p.Ctl.Do("FLUSHALL"); err != nil {
		return s, err
	}
	memory, rss, cpu := used(p), p.RSS(), p.CPU()
	took, err := c.create(p)
	if err != nil {
		return s, err
	}
	s.LoadSeconds, s.LoadCPU = took.Seconds(), p.CPU()-cpu
	s.BytesPerDoc = float64(used(p)-memory) / float64(c.docs)
	s.RSSPerDoc = float64(p.RSS()-rss) / float64(c.docs)
	s.RawPerDoc = c.raw()
	if o.wide > 0 {
		memory, rss = used(p), p.RSS()
		took, err := createWide(p, o.wide)
		if err != nil {
			return s, err
		}
		s.WideSeconds = took.Seconds()
		s.WideBytesPerDoc = float64(used(p)-memory) / float64(o.wide)
		s.WideRSSPerDoc = float64(p.RSS()-rss) / float64(o.wide)
	}
	for i := range cases {
		a := &cases[i]
		if !o.match.MatchString(a.name) || a.wide && o.wide == 0 {
			continue
		}
		fmt.Fprintf(progress, "%s: %s\n", p.Name, a.name)
		row, err := o.measureCase(ctx, c, p, a)
		if err != nil {
			return s, fmt.Errorf("%s: %w", a.name, err)
		}
		s.Cases = append(s.Cases, row)
	}
	if o.bulk > 0 {
		fmt.Fprintf(progress, "%s: queries during a load\n", p.Name)
		if s.Bulk, err = o.measureBulk(ctx, c, p); err != nil {
			return s, fmt.Errorf("load: %w", err)
		}
	}
	return s, nil
}

func (r *report) save(out string) error {
	if out == "" {
		return nil
	}
	var text strings.Builder
	r.write(&text)
	figures, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	base := strings.TrimSuffix(out, filepath.Ext(out))
	return errors.Join(
		os.WriteFile(base+".md", []byte(text.String()), 0o644),
		os.WriteFile(base+".json", append(figures, '\n'), 0o644),
		os.WriteFile(base+"-rate.svg", r.plot("Queries a second", "queries/s", func(c caseResult) float64 { return c.PerSecond }), 0o644),
		os.WriteFile(base+"-cpu.svg", r.plot("Processor time of the server a query", "µs", func(c caseResult) float64 { return c.CPUMicros }), 0o644),
	)
}
