package commands

import (
	"slices"
	"testing"

	"github.com/nearcache/nearcache/resp/command"
)

// TestRowsAreRedis holds the rows against the record of Redis' own commands.
func TestRowsAreRedis(t *testing.T) {
	eachRow(func(s *command.Spec) {
		r := References()[s.FullName()]
		if r == nil {
			return // only we have it, or a module
		}
		same := func(what string, ours, redis any) {
			if ours != redis {
				t.Errorf("%s: %s is %v, Redis says %v", s.FullName(), what, ours, redis)
			}
		}
		same("arity", s.Arity, r.Arity)
		same("since", s.Since, r.Since)
		same("group", string(s.Group), r.Group)
		same("summary", s.Summary, r.Summary)
		if !slices.Equal(s.Flags.Names(), r.Flags) {
			t.Errorf("%s: flags are %q, Redis says %q", s.FullName(), s.Flags.Names(), r.Flags)
		}
	})
}

// eachRow calls f with every row and subcommand.
func eachRow(f func(*command.Spec)) {
	for _, s := range command.NewTable(All()...).All() {
		f(s)
		for _, sub := range s.Sub {
			f(sub)
		}
	}
}

// TestRowsAreDescribed holds that COMMAND DOCS says something of every command.
func TestRowsAreDescribed(t *testing.T) {
	eachRow(func(s *command.Spec) {
		d := described(s)
		if d.Summary == "" || d.Since == "" || d.Group == "" {
			t.Errorf("%s: COMMAND DOCS has no more than %+v", s.FullName(), d)
		}
		if References()[s.FullName()] != nil {
			return // the same as Redis', and another test compares
		}
		if d.Complexity == "" || s.Arity != 1 && len(s.Args) == 0 {
			t.Errorf("%s: its arguments or its complexity are not described", s.FullName())
		}
	})
}
