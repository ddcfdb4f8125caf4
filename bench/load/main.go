package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, "load:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	o, err := parseOptions(args, os.Stderr)
	if err != nil {
		return err
	}
	root, err := checkout()
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "nearcache-load-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	r := &report{
		Name: o.name, Date: time.Now().UTC().Format(time.RFC3339), Commit: commit(root), Command: commandLine(args),
		Machine: thisMachine(), Settings: o.settings(),
	}
	var peers []*peer
	defer func() {
		for _, p := range peers {
			p.close()
		}
	}()
	for _, spec := range o.peers {
		p, err := open(ctx, spec, root, tmp)
		if err != nil {
			return err
		}
		peers = append(peers, p)
		r.Peers = append(r.Peers, reportPeer{Name: p.name, Version: p.version, Started: p.started})
		fmt.Fprintf(os.Stderr, "%s %s at %s\n", p.name, p.version, p.addr)
	}
	if r.Cases, err = runAll(ctx, o, peers, os.Stderr); err != nil {
		return err
	}
	md := r.markdown()
	fmt.Print(md)
	if o.out == "-" {
		return r.failed()
	}
	dir := o.out
	if dir == "" {
		dir = filepath.Join(root, "bench", "results")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	js, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	for ext, b := range map[string][]byte{"json": append(js, '\n'), "md": []byte(md), "svg": r.svg()} {
		if err := os.WriteFile(filepath.Join(dir, o.name+"."+ext), b, 0o644); err != nil {
			return err
		}
	}
	return r.failed()
}
