package command

import "time"

// Version is nearcache's own, in INFO's field nearcache_version.
const Version = "0.1.0"

// RedisVersion is the version of Redis whose commands a client may expect.
// Clients compare it and parse each part as a number, so it holds digits only.
const RedisVersion = "8.2.4"

// Module is what MODULE LIST, HELLO and INFO tell of a module of Redis whose
// commands are built in.
type Module struct {
	Name    string
	Version int64
}

// Modules lists them.
var Modules = []Module{
	{Name: "search", Version: 80204},
	{Name: "ReJSON", Version: 80204},
	{Name: "vectorset", Version: 1},
}

// Started is when the process began.
var Started = time.Now()
