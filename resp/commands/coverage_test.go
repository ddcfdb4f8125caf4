package commands

import (
	"strings"
	"testing"

	"github.com/nearcache/nearcache/resp/command"
)

// TestEachMissingCommandHasAReason holds the table of nearcache commands: whatever
// of Redis' is not here is named with a reason, and no reason is given for what
// Redis does not know.
func TestEachMissingCommandHasAReason(t *testing.T) {
	known, here := map[string]bool{}, 0
	all := map[string]Covered{}
	for _, c := range Coverage() {
		container, _, _ := strings.Cut(c.Name, "|")
		known[c.Name], known[container], known[c.Group] = true, true, true
		if _, twice := all[c.Name]; twice {
			t.Errorf("%s is listed twice", c.Name)
		}
		all[c.Name] = c
		switch {
		case c.Here:
			here++
		case c.Reason == "":
			t.Errorf("%s (%s) is not here, and nothing says why", c.Name, c.Group)
		}
	}
	rows := 0
	eachRow(func(s *command.Spec) {
		rows++
		if !all[s.FullName()].Here {
			t.Errorf("%s has a row and counts as missing", s.FullName())
		}
	})
	if here != rows {
		t.Errorf("%d commands are said to be here, of %d rows", here, rows)
	}
	for _, a := range absences {
		if !known[a.of] {
			t.Errorf("a reason is given for %s, which Redis does not have", a.of)
		}
	}
	for name := range limits {
		if !all[name].Here {
			t.Errorf("%s is said to be limited, and is not here", name)
		}
	}
	for name, ours := range map[string]bool{"get": false, "client|list": false, "json.set": false, "ft.search": false, "nc.cost": true} {
		if c := all[name]; !c.Here || c.Ours != ours {
			t.Errorf("%s: %+v", name, c)
		}
	}
}
