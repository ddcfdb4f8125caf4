// Package types is the list of data types.
package types

import (
	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/types/hash"
	"github.com/nearcache/nearcache/store/types/json"
	"github.com/nearcache/nearcache/store/types/list"
	"github.com/nearcache/nearcache/store/types/set"
	"github.com/nearcache/nearcache/store/types/str"
	"github.com/nearcache/nearcache/store/types/stream"
	"github.com/nearcache/nearcache/store/types/sug"
	"github.com/nearcache/nearcache/store/types/vset"
	"github.com/nearcache/nearcache/store/types/zset"
)

// All lists the data types, with the names that TYPE answers.
var All = []*object.Type{
	str.Type,
	hash.Type,
	list.Type,
	set.Type,
	zset.Type,
	stream.Type,
	json.Type,
	vset.Type,
	sug.Type,
}
