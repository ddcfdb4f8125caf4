package commands

import "github.com/nearcache/nearcache/resp/command"

// aclCategories are the categories of commands in Redis' order, and then those of
// the modules whose commands are here.
var aclCategories = []string{
	"keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "array", "bitmap", "hyperloglog", "geo", "stream",
	"pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection", "transaction", "scripting", "search", "json",
}

// categories are those of a command that Redis itself does not have.
func categories(s *command.Spec) []string {
	is := map[string]bool{
		"keyspace": s.Group == command.GroupGeneric,
		"write":    s.Flags&command.Write != 0,
		"read":     s.Flags&command.ReadOnly != 0,
		"fast":     s.Flags&command.Fast != 0,
		"slow":     s.Flags&command.Fast == 0,
		"blocking": s.Flags&command.Blocking != 0,
		"search":   moduleOf(s) == "search",
		"json":     s.Group == command.GroupModule,
	}
	is["admin"] = s.Flags&command.Admin != 0
	is["dangerous"] = is["admin"]
	var l []string
	for _, cat := range aclCategories {
		if is[cat] {
			l = append(l, "@"+cat)
		}
	}
	return l
}
