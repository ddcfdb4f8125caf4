package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"text/tabwriter"

	"github.com/nearcache/nearcache/resp/commands"
)

// listCommands prints which commands of Redis are here, and why others are not.
func listCommands(args []string, stdout io.Writer, stderr *os.File) error {
	fs := flag.NewFlagSet("nearcache commands", flag.ContinueOnError)
	fs.SetOutput(stderr)
	missing := fs.Bool("missing", false, "only those that are not here")
	fs.Usage = func() {
		fmt.Fprintln(stderr, "nearcache commands [-missing] [PATTERN]: which commands of Redis 8.10 and its modules are here, by name or group (json, 'z*', cluster)")
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 1 {
		return fmt.Errorf("commands: argument %q", fs.Arg(1))
	}
	pattern := strings.ReplaceAll(strings.ToLower(fs.Arg(0)), " ", "|")
	if _, err := path.Match(pattern, ""); err != nil {
		return fmt.Errorf("commands: pattern %q: %w", fs.Arg(0), err)
	}
	type count struct{ here, all int }
	var redis, modules count
	ours := 0
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "GROUP\tCOMMAND\tSINCE\tHERE\t")
	for _, c := range commands.Coverage() {
		n := &redis
		switch {
		case c.Ours:
			ours++
			n = nil
		case commands.References()[c.Name] == nil:
			n = &modules
		}
		if n != nil {
			n.all++
			if c.Here {
				n.here++
			}
		}
		if *missing && c.Here || !selected(pattern, c) {
			continue
		}
		here := "no"
		if c.Here {
			here = "yes"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", c.Group, strings.ToUpper(strings.ReplaceAll(c.Name, "|", " ")), c.Since, here, c.Reason)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(stdout, "\n%d of Redis 8.10's %d commands and subcommands, %d of its modules' %d, and %d of nearcache's own.\n",
		redis.here, redis.all, modules.here, modules.all, ours)
	return err
}

func selected(pattern string, c commands.Covered) bool {
	if pattern == "" || pattern == c.Group {
		return true
	}
	container, _, _ := strings.Cut(c.Name, "|")
	for _, s := range []string{c.Name, container} {
		if ok, _ := path.Match(pattern, s); ok {
			return true
		}
	}
	return false
}
