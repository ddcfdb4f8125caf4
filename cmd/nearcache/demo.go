package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/nearcache/nearcache/cmd/nearcache/demo"
	"github.com/nearcache/nearcache/resp/server"
)

// runDemo shows the semantic cache at work: it starts a server in this process
// with a folder of its own, or takes the one at -addr, and replays real
// questions.
func runDemo(ctx context.Context, args []string, stdout io.Writer, stderr *os.File) (err error) {
	o := demo.Options{Progress: stderr, Terminal: isTerminal(stderr)}
	fs := flag.NewFlagSet("nearcache demo", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.Addr, "addr", "", "use the server at `HOST:PORT` instead of starting one; writes keys llmcache:*")
	fs.StringVar(&o.Data, "data", "", "folder of the data sets (default: datasets of the checkout)")
	fs.Float64Var(&o.Threshold, "threshold", 0.2, "widest cosine distance that is a hit")
	fs.IntVar(&o.Questions, "questions", 0, "how many new questions are asked (default all 3,080)")
	fs.IntVar(&o.Stored, "stored", 0, "how many prompts are stored (default all 10,003)")
	keep := fs.Bool("keep", false, "leave the server up afterwards, until Ctrl-C")
	quiet := fs.Bool("quiet", false, "no progress")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("demo: argument %q", fs.Arg(0))
	}
	if *quiet {
		o.Progress = nil
	}
	if o.Addr == "" {
		s, stop, err := startForDemo(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
		o.Addr = s.Addr()
		fmt.Fprintf(stdout, "nearcache serves at %s, in this process, with a folder that goes with it\n", o.Addr)
	}
	r, err := demo.Run(ctx, o)
	if err != nil {
		return err
	}
	r.Print(stdout)
	if err := r.Err(); err != nil {
		return err
	}
	fmt.Fprint(stdout, demoNext)
	if *keep {
		fmt.Fprintf(stdout, "\nThe server stays at %s; Ctrl-C ends it. Look around: redis-cli -u redis://%s FT.INFO llmcache\n", o.Addr, o.Addr)
		<-ctx.Done()
	}
	return nil
}

const demoNext = `Try next
  go run ./cmd/nearcache                        a server on port 6379; README.md has redis-py and RedisVL for it
  go run ./cmd/nearcache demo --threshold 0.1   fewer hits, and fewer of them wrong
  go run ./cmd/nearcache demo --keep            leaves the server of the demo up, to look around with redis-cli
  go run ./cmd/nearcache bench load --nearcache how fast it is on this machine
`

// startForDemo serves on a free port of 127.0.0.1 with an empty folder. stop
// ends the server and removes the folder.
func startForDemo(ctx context.Context) (s *server.Server, stop func() error, err error) {
	dir, err := os.MkdirTemp("", "nearcache-demo-")
	if err != nil {
		return nil, nil, err
	}
	// The environment is left out: a password or a port of a real server there
	// is not for this one.
	cfg, err := server.LoadConfig([]string{"--bind", "127.0.0.1", "--port", "0", "--dir", dir, "--loglevel", "warning"}, nil)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	// The server must outlive ctx: an interrupted demo ends first.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s = server.New(cfg)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	select {
	case <-s.Ready():
	case err := <-ended:
		cancel()
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, func() error {
		cancel()
		return errors.Join(<-ended, os.RemoveAll(dir))
	}, nil
}

// isTerminal reports whether f is one that can draw over a line.
func isTerminal(f *os.File) bool {
	fi, err := f.Stat()
	return err == nil && fi.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}
