package server

import (
	"fmt"
	"strings"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/store/glob"
)

// Get calls f with each setting whose name matches the glob pattern, in the
// order of the table, and once more under its other name where that matches.
func (c *Config) Get(pattern string, f func(name, value string)) {
	exact := !strings.ContainsAny(pattern, "[*?")
	for _, s := range Settings {
		for _, name := range []string{s.Name, s.Alias} {
			switch {
			case name == "":
			case exact && strings.EqualFold(name, pattern):
				f(pattern, s.Field(c).String())
			case !exact && glob.MatchFold(pattern, name):
				f(name, s.Field(c).String())
			}
		}
	}
}

// Set changes settings at run time: all pairs, or none and the error says why.
// local says that whoever asks is on this machine.
func (c *Config) Set(pairs [][2]string, local bool) error {
	type change struct {
		s       *Setting
		oldN    int64
		oldText string
	}
	failed := func(name, why string) error {
		return resp.Error(fmt.Sprintf("ERR CONFIG SET failed (possibly related to argument '%s') - %s", name, why))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var changes []change
	var refused error
	for _, p := range pairs {
		s := findSetting(p[0])
		if s == nil { // an unknown name is reported before anything else
			return resp.Error(fmt.Sprintf("ERR Unknown option or number of arguments for CONFIG SET - '%s'", p[0]))
		}
		if refused != nil {
			continue
		}
		switch {
		case s.Protected && !protectedAllowed(&c.enableProtected, local):
			refused = failed(p[0], "can't set protected config")
		case s.Immutable:
			refused = failed(p[0], "can't set immutable config")
		}
		for _, x := range changes {
			if x.s == s {
				refused = failed(p[0], "duplicate parameter")
			}
		}
		v := s.Field(c)
		changes = append(changes, change{s, v.Int(), v.String()})
	}
	if refused != nil {
		return refused
	}
	restore := func() {
		for _, x := range changes {
			x.s.Field(c).store(x.oldN, x.oldText)
		}
	}
	for i, x := range changes {
		words := []string{pairs[i][1]}
		if x.s.Multi && words[0] != "" {
			words = strings.Split(words[0], " ")
		}
		if err := c.load(x.s, words); err != nil {
			restore()
			return failed(x.s.Name, err.Error())
		}
	}
	if c.mu.server == nil {
		return nil
	}
	for _, x := range changes {
		v := x.s.Field(c)
		if x.s.Apply == nil || v.Int() == x.oldN && v.String() == x.oldText {
			continue
		}
		if err := x.s.Apply(c.mu.server, c); err != nil {
			restore()
			for _, y := range changes {
				if y.s.Apply != nil {
					_ = y.s.Apply(c.mu.server, c)
				}
			}
			return failed(x.s.Name, err.Error())
		}
	}
	return nil
}
