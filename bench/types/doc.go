// Package types measures data types beside Redis: what commands on large values
// cost, and how much memory elements take. It is the command
//
//	nearcache bench types -nearcache -redis PATH-OF-redis-server               # both parts
//	nearcache bench types -parts cost -match 'sinter|lrange' -nearcache -redis PATH
//
// cost (cases.go, cost.go): each case fills both servers with the same values and
// sends the same commands over one connection, for some time in turns, A B B A …
// The ratio is that of the times of one turn; shown is its median.
//
// memory (memory.go): a server is started for each kind of value, filled, and
// asked what it uses; beside that stands what the process holds.
package types
