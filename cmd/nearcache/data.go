package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/resp/server"
	"github.com/nearcache/nearcache/store/catalog"
	"github.com/nearcache/nearcache/store/persist"
	"github.com/nearcache/nearcache/store/vfs"
)

// errDamaged ends the program with a status that a script can ask for.
var errDamaged = errors.New("the data folder is damaged")

// checkData is nearcache check: it reads a data folder that nobody uses.
func checkData(args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("nearcache check", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fix := fs.Bool("repair", false, "keep what holds, and the damaged files beside it")
	fs.Usage = func() {
		fmt.Fprintln(stderr, "nearcache check [--repair] DIR [--repair]: reads a data folder and says whether a server would load it")
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return err
	}
	dir := fs.Arg(0)
	if err := fs.Parse(fs.Args()[min(1, fs.NArg()):]); err != nil { // the flag behind the folder, too
		return err
	}
	if dir == "" || fs.NArg() > 0 {
		fs.Usage()
		return errors.New("check: name one data folder")
	}
	var rep persist.CheckReport
	var err error
	if *fix {
		if rep, err = persist.Repair(vfs.OS, dir, time.Now()); err == nil && len(rep.Damage) > 0 {
			err = server.ForgetPlace(vfs.OS, dir)
		}
	} else {
		rep, err = persist.Check(vfs.OS, dir)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%d files, %d records, %d bytes hold\n", rep.Files, rep.Records, rep.Bytes)
	if t := rep.Torn; t != nil {
		fmt.Fprintf(stdout, "%s ends in an unfinished record at offset %d (%d bytes), as after a power cut; a server cuts it off\n", t.File, t.Offset, t.Size)
	}
	for _, d := range rep.Damage {
		fmt.Fprintln(stdout, d)
	}
	for _, k := range rep.Kept {
		fmt.Fprintf(stdout, "as it was: %s\n", k)
	}
	switch {
	case len(rep.Damage) == 0:
		fmt.Fprintln(stdout, "nothing is damaged")
		return nil
	case *fix:
		fmt.Fprintln(stdout, "repaired: a server loads what holds")
		return nil
	}
	fmt.Fprintln(stdout, "a server refuses to start; --repair keeps the blocks of the base that hold, and the log up to the first damage")
	return errDamaged
}

// backup is nearcache backup: it copies the data folder of a server, which goes on.
func backup(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("nearcache backup", flag.ContinueOnError)
	fs.SetOutput(stderr)
	addr := fs.String("addr", "127.0.0.1:6379", "address of the running server, on this machine")
	password := fs.String("password", os.Getenv("NEARCACHE_REQUIREPASS"), "its password")
	data := fs.String("dir", "", "a data folder; nobody is asked to save, and no server need run")
	fs.Usage = func() {
		fmt.Fprintln(stderr, "nearcache backup [-flags] DIR: copies all data to a new folder, from which a server can be started (--dir DIR)")
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() != 1 {
		fs.Usage()
		return errors.New("backup: name one folder, new or empty")
	}
	from := *data
	if from == "" {
		var err error
		if from, err = savedFolder(ctx, *addr, *password); err != nil {
			return fmt.Errorf("ask the server at %s: %w", *addr, err)
		}
	}
	rep, err := persist.Backup(vfs.OS, from, fs.Arg(0))
	if err != nil {
		return err
	}
	for _, d := range rep.Damage {
		fmt.Fprintln(stdout, d)
	}
	if len(rep.Damage) > 0 {
		return errDamaged
	}
	if err := catalog.CopyGraphs(vfs.OS, from, fs.Arg(0)); err != nil {
		fmt.Fprintf(stdout, "graphs are not part of it, and will be made anew: %v\n", err)
	}
	fmt.Fprintf(stdout, "%s: %d files, %d records, %d bytes, all checked\n", fs.Arg(0), rep.Files, rep.Records, rep.Bytes)
	return nil
}

// savedFolder has a server bring everything to the disk and returns its data folder.
func savedFolder(ctx context.Context, addr, password string) (string, error) {
	c, err := client.Dial(ctx, addr, client.Options{Password: password, Timeout: -1})
	if err != nil {
		return "", err
	}
	defer c.Close()
	get := func(name string) (string, error) {
		v, err := c.Do("CONFIG", "GET", name)
		if err != nil {
			return "", err
		}
		if len(v.Elems) != 2 {
			return "", fmt.Errorf("CONFIG GET %s: %s", name, v)
		}
		return v.Elems[1].Str, nil
	}
	dir, err := get("dir")
	if err != nil {
		return "", err
	}
	log, err := get("appendonly")
	if err != nil {
		return "", err
	}
	if log == "no" {
		_, err = c.Do("SAVE")
		return dir, err
	}
	// A write of our own, so that all before it is waited for. Where none is taken, as by a replica or a full memory, a
	// snapshot has all.
	for _, cmd := range [][]any{{"SET", "nearcache:backup", "1", "PX", "1"}, {"WAITAOF", "1", "0", "0"}} {
		if _, err := c.Do(cmd...); err != nil {
			_, err = c.Do("SAVE")
			return dir, err
		}
	}
	return dir, nil
}
