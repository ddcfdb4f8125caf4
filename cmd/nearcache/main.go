// Command nearcache is the server, and what belongs to it.
//
//	nearcache [config-file] [--setting value ...]   serve (the default)
//	nearcache demo [-flags]                         a semantic cache on real questions
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/nearcache/nearcache/resp/server"
)

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "nearcache:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(args) > 0 && args[0] == "demo" {
		return runDemo(ctx, args[1:], os.Stdout, os.Stderr)
	}
	cfg, err := server.LoadConfig(args, os.Getenv)
	if err != nil {
		return err
	}
	return server.New(cfg).Run(ctx)
}
