package commands

import (
	_ "embed"
	"slices"
	"strings"

	"github.com/nearcache/nearcache/resp/command"
)

// Covered is a command of Redis', or one that only we have, and whether it is here.
type Covered struct {
	Name   string // "client|kill"
	Since  string // the version of Redis, or of the module
	Group  string // "string", or the module's name
	Here   bool
	Ours   bool   // Redis has no such command
	Reason string // why it is not here, or in what it is less than Redis'
}

// moduleText lists the commands of the modules that Redis 8 is delivered with: a
// line for each module, its name before its commands.
//
//go:embed redis8-modules.txt
var moduleText string

// absences say why commands of Redis' are not here: one command, all of a container
// ("cluster"), or all of a group or module. The first that fits is shown. What has
// been added since is shown as being here, whatever stands in this list.
var absences = []struct{ of, reason string }{
	{"acl|log", "there are no permissions, so nothing is denied"},
	{"acl", "one user, default, whose password is requirepass; permissions are not built yet"},
	{"array", "the array type of Redis 8.8 is not built yet"},
	{"backup", "nearcache backup DIR copies the state of a running server to a folder"},
	{"cluster", "one node holds all slots and uses all processors; clients connect to it as to a standalone Redis"},
	{"readonly", "says something to replicas of a cluster only"},
	{"readwrite", "says something to replicas of a cluster only"},
	{"asking", "says something to nodes of a cluster only"},
	{"trimslots", "says something to nodes of a cluster only"},
	{"restore-asking", "says something to nodes of a cluster only"},
	{"failover", "a replica is promoted by REPLICAOF NO ONE, and others made to follow it by REPLICAOF"},
	{"himport", "the import of hashes of Redis 8.10 is not built yet"},
	{"timeseries", "time series are outside of what nearcache is for"},
	{"bf", "probabilistic structures other than HyperLogLog are outside of what nearcache is for"},
}

// limits say in what commands that are here do less than Redis'.
var limits = map[string]string{
	"acl|dryrun":    "there is the user default only, who may do everything",
	"acl|list":      "there is the user default only",
	"acl|users":     "there is the user default only",
	"debug":         "the subcommands that tests of clients use",
	"psync":         "refused without enable-replicas",
	"sync":          "as PSYNC, and by who has said REPLCONF capa eof",
	"migrate":       "refused without enable-outgoing-connections, and in transactions and scripts",
	"module|load":   "always refused, as Redis refuses it by default",
	"module|loadex": "always refused, as Redis refuses it by default",
	"module|unload": "always refused, as Redis refuses it by default",
	"replicaof":     "refused without enable-outgoing-connections",
	"slaveof":       "as REPLICAOF",
}

func absence(name, group string) string {
	container, _, _ := strings.Cut(name, "|")
	for _, a := range absences {
		if a.of == name || a.of == container || a.of == group {
			return a.reason
		}
	}
	return ""
}

// Coverage lists the commands of Redis 8.10 and of its modules by group and name,
// with those of them that are here, and the ones that only we have.
func Coverage() []Covered {
	rows := map[string]*command.Spec{}
	for _, s := range command.NewTable(All()...).All() {
		rows[s.FullName()] = s
		for _, sub := range s.Sub {
			rows[sub.FullName()] = sub
		}
	}
	var l []Covered
	add := func(name, since, group string) {
		c := Covered{Name: name, Since: since, Group: group, Here: rows[name] != nil, Reason: limits[name]}
		if !c.Here {
			c.Reason = absence(name, group)
		}
		delete(rows, name)
		l = append(l, c)
	}
	for name, r := range References() {
		group := r.Group
		if group == "module" { // what COMMAND DOCS says of commands of vector sets
			group = "vector-set"
		}
		add(name, r.Since, group)
	}
	for line := range strings.Lines(moduleText) {
		words := strings.Fields(line)
		for _, name := range words[1:] {
			since := ""
			if s := rows[name]; s != nil {
				since = s.Since
			}
			add(name, since, words[0])
		}
	}
	for name, s := range rows {
		l = append(l, Covered{Name: name, Group: "nearcache", Here: true, Ours: true, Since: s.Since})
	}
	slices.SortFunc(l, func(a, b Covered) int {
		if a.Group != b.Group {
			return strings.Compare(a.Group, b.Group)
		}
		return strings.Compare(a.Name, b.Name)
	})
	return l
}
