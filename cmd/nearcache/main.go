// Command nearcache is the server, and what belongs to it.
//
//	nearcache [config-file] [--setting value ...]   serve (the default)
//	nearcache demo [-flags]                         a semantic cache on real questions
//	nearcache bench NAME [-flags]                   measures; see benches
//	nearcache backup [-flags] DIR                   copies the data of a running server
//	nearcache check [--repair] DIR                  reads a data folder
//	nearcache commands [-missing] [PATTERN]         which commands of Redis are here
//	nearcache import KIND [-flags] FILE             enters dump.rdb and others; see transfer
//	nearcache export KIND [-flags] FILE
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/nearcache/nearcache/cmd/nearcache/transfer"
	"github.com/nearcache/nearcache/resp/server"
	"github.com/nearcache/nearcache/store/thread"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "nearcache:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) (err error) {
	if len(args) > 0 && args[0] == "bench" { // before signals are caught: one ends it
		return runBench(args[1:], stdout, os.Stderr)
	}
	if len(args) > 0 && args[0] == "commands" {
		return listCommands(args[1:], stdout, os.Stderr)
	}
	if len(args) > 0 && args[0] == "check" {
		return checkData(args[1:], stdout, os.Stderr)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(args) > 0 && args[0] == "backup" {
		return backup(ctx, args[1:], stdout, os.Stderr)
	}
	if len(args) > 0 && args[0] == "demo" {
		return runDemo(ctx, args[1:], stdout, os.Stderr)
	}
	if len(args) > 0 && args[0] == "import" {
		return transfer.Import(ctx, args[1:], stdout, os.Stderr)
	}
	if len(args) > 0 && args[0] == "export" {
		return transfer.Export(ctx, args[1:], stdout, os.Stderr)
	}
	cfg, err := server.LoadConfig(args, os.Getenv)
	if errors.Is(err, flag.ErrHelp) {
		return help(stdout)
	}
	if err != nil {
		return err
	}
	logFile, err := cfg.OpenLog()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logFile.Close()) }()
	// A reactor that sleeps in the kernel keeps its place in the scheduler for a while, and what waits in the place's
	// queue with it. Work for indexes keeps a place of its own for each processor. They are given these beside what
	// there is, so that searches find theirs free: a thread that becomes ready takes a processor from such work at
	// once, a goroutine would wait for up to 10 ms.
	runtime.GOMAXPROCS(2*runtime.GOMAXPROCS(0) + cfg.IOThreads())
	if cfg.IOThreads() > 1 { // a client on this machine shares a processor with a reactor, and waits for it less so
		thread.Shorten(thread.Turn)
	}
	return server.New(cfg).Run(ctx)
}

const usage = `nearcache is a cache and a vector database that speaks the Redis protocol.

  nearcache [config-file] [--setting value ...]   serve, on 127.0.0.1:6379 unless told otherwise
  nearcache demo [-flags]                         a semantic cache on real questions; demo -h lists its flags
  nearcache backup [-flags] DIR                   copy the data of a running server to a new folder
  nearcache check [--repair] DIR                  read a data folder, and say whether a server would load it
  nearcache commands [-missing] [PATTERN]         which commands of Redis are here, and why others are not
  nearcache import KIND [-flags] FILE             enters an RDB, AOF, JSON lines, vectors; import -h lists kinds and flags
  nearcache export KIND [-flags] FILE             writes an RDB, AOF or JSON lines
%s
Settings, also as lines of the configuration file and as variables NEARCACHE_NAME:

`

func help(w io.Writer) error {
	if _, err := fmt.Fprintf(w, usage, benchUsage()); err != nil {
		return err
	}
	return server.WriteHelp(w)
}
