package commands

import (
	"cmp"
	"math"
	"slices"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store/geo"
	"github.com/nearcache/nearcache/store/types/zset"
)

// geoQuery is which of the commands that search it is: they differ in how the
// area is given and in whether they may store.
type geoQuery uint8

const (
	geoSearch geoQuery = iota
	geoSearchStore
	geoRadius
	geoRadiusRO
	geoByMember
	geoByMemberRO
)

func (q geoQuery) search() bool { return q == geoSearch || q == geoSearchStore }

// geoSearchArgs are a search's arguments. What is wrong with them shows only when
// the set has been looked up: Redis reports a key of another type first, and
// looks members up on the way.
type geoSearchArgs struct {
	name []byte // of the command, as the client wrote it
	dest []byte // nil where nothing is stored
	key  []byte
	rest [][]byte

	shape                 geo.Shape
	dist, hash, coord     bool
	any                   bool
	order                 int // 1 ascending, -1 descending
	count                 int64
	storeDist             bool
	fromMember, fromPlace bool
	byRadius, byBox       bool
}

func (q geoQuery) parse(p *args.Parser) (a geoSearchArgs) {
	if q == geoSearchStore {
		a.dest = p.Bytes()
	}
	a.key, a.rest = p.Bytes(), p.Rest()
	return a
}

// read reads the arguments behind the key; v is nil where there is no set.
func (q geoQuery) read(a *geoSearchArgs, v *zset.Value) error {
	rest := a.rest
	var err error
	switch q {
	case geoRadius, geoRadiusRO:
		if a.shape.Lon, a.shape.Lat, err = parsePlace(rest); err != nil {
			return err
		}
		if err = a.radius(rest[2:]); err != nil {
			return err
		}
		rest = rest[4:]
	case geoByMember, geoByMemberRO:
		if v != nil {
			if err = a.member(v, rest[0]); err != nil {
				return err
			}
			if err = a.radius(rest[1:]); err != nil {
				return err
			}
		}
		rest = rest[3:]
	}
	for len(rest) > 0 {
		n, err := q.option(a, v, rest)
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	return q.check(a)
}

func (a *geoSearchArgs) member(v *zset.Value, member []byte) error {
	score, ok := v.Score(member)
	if !ok {
		return errGeoMember
	}
	a.shape.Lon, a.shape.Lat = geo.Decode(score)
	return nil
}

func (a *geoSearchArgs) radius(l [][]byte) (err error) {
	f, ok := args.ParseFloat(l[0])
	switch {
	case !ok:
		return errGeoRadius
	case f < 0:
		return errGeoNeg
	}
	a.shape.Radius, a.shape.Box = f, false
	a.shape.Unit, err = parseUnit(l[1])
	return err
}

func (a *geoSearchArgs) box(l [][]byte) (err error) {
	w, ok := args.ParseFloat(l[0])
	if !ok {
		return errGeoWidth
	}
	h, ok := args.ParseFloat(l[1])
	switch {
	case !ok:
		return errGeoHeight
	case h < 0 || w < 0:
		return errGeoBoxNeg
	}
	a.shape.Width, a.shape.Height, a.shape.Box = w, h, true
	a.shape.Unit, err = parseUnit(l[2])
	return err
}

// option reads the option that rest begins with and returns how many arguments
// it has.
func (q geoQuery) option(a *geoSearchArgs, v *zset.Value, rest [][]byte) (n int, err error) {
	is := func(word string, arguments int) bool { return args.EqualFold(rest[0], word) && len(rest) > arguments }
	stores := q == geoRadius || q == geoByMember
	switch {
	case is("WITHDIST", 0):
		a.dist = true
	case is("WITHHASH", 0):
		a.hash = true
	case is("WITHCOORD", 0):
		a.coord = true
	case is("ANY", 0):
		a.any = true
	case is("ASC", 0):
		a.order = 1
	case is("DESC", 0):
		a.order = -1
	case is("COUNT", 1):
		var ok bool
		if a.count, ok = resp.ParseInt(rest[1]); !ok {
			return 0, resp.ErrNotInt
		}
		if a.count <= 0 {
			return 0, errGeoCount
		}
		return 2, nil
	case stores && is("STORE", 1), stores && is("STOREDIST", 1):
		a.dest, a.storeDist = rest[1], len(rest[0]) > len("STORE")
		return 2, nil
	case q == geoSearchStore && is("STOREDIST", 0):
		a.storeDist = true
	case q.search() && !a.fromPlace && is("FROMMEMBER", 1):
		a.fromMember = true
		if v != nil {
			err = a.member(v, rest[1])
		}
		return 2, err
	case q.search() && !a.fromMember && is("FROMLONLAT", 2):
		a.fromPlace = true
		a.shape.Lon, a.shape.Lat, err = parsePlace(rest[1:])
		return 3, err
	case q.search() && !a.byBox && is("BYRADIUS", 2):
		a.byRadius = true
		return 3, a.radius(rest[1:])
	case q.search() && !a.byRadius && is("BYBOX", 3):
		a.byBox = true
		return 4, a.box(rest[1:])
	default:
		return 0, resp.ErrSyntax
	}
	return 1, nil
}

func (q geoQuery) check(a *geoSearchArgs) error {
	switch {
	case a.dest != nil && (a.dist || a.hash || a.coord):
		what := "STORE option in GEORADIUS"
		if q == geoSearchStore {
			what = "GEOSEARCHSTORE"
		}
		return resp.Error("ERR " + what + " is not compatible with WITHDIST, WITHHASH and WITHCOORD options")
	case q.search() && !a.fromMember && !a.fromPlace:
		return resp.Error("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for " + string(a.name))
	case q.search() && !a.byRadius && !a.byBox:
		return resp.Error("ERR exactly one of BYRADIUS and BYBOX can be specified for " + string(a.name))
	case a.any && a.count == 0:
		return errGeoAny
	}
	if a.count != 0 && a.order == 0 && !a.any {
		a.order = 1
	}
	return nil
}

// geoPoint is a member that was found; its bytes are the set's.
type geoPoint struct {
	member          []byte
	score, distance float64
	lon, lat        float64
}

// find returns the members in the area, with ANY no more than asked for.
func (a *geoSearchArgs) find(v *zset.Value) (found []geoPoint) {
	limit := math.MaxInt
	if a.any {
		limit = int(a.count)
	}
	var room [9][2]float64
	for _, r := range a.shape.Ranges(room[:0]) {
		lo, hi := v.ScoreRange(&zset.ScoreRange{Min: r[0], Max: r[1], MaxEx: true})
		it := v.From(lo, false)
		for i := lo; i < hi && it.Next(); i++ {
			lon, lat := geo.Decode(it.Score())
			d, ok := a.shape.Within(lon, lat)
			if !ok {
				continue
			}
			if found = append(found, geoPoint{it.Member(), it.Score(), d, lon, lat}); len(found) >= limit {
				return found
			}
		}
	}
	return found
}

func (q geoQuery) run(c *command.Ctx, a geoSearchArgs) error {
	v, err := getZSet(c, a.key)
	if err != nil {
		return err
	}
	a.name = c.Args[0]
	if err := q.read(&a, v); err != nil {
		return err
	}
	var found []geoPoint
	if v != nil {
		found = a.find(v)
	}
	switch a.order {
	case 1:
		slices.SortStableFunc(found, func(x, y geoPoint) int { return cmp.Compare(x.distance, y.distance) })
	case -1:
		slices.SortStableFunc(found, func(x, y geoPoint) int { return cmp.Compare(y.distance, x.distance) })
	}
	if a.count != 0 && int64(len(found)) > a.count {
		found = found[:a.count]
	}
	if a.dest != nil {
		q.store(c, &a, found)
		return nil
	}
	return a.reply(c, found)
}

func (q geoQuery) store(c *command.Ctx, a *geoSearchArgs, found []geoPoint) {
	result := zset.New(0, 0)
	for i := range found {
		score := found[i].score
		if a.storeDist {
			p := &found[i]
			score = geo.ExactDistance(a.shape.Lon, a.shape.Lat, p.lon, p.lat) / a.shape.Unit
		}
		result.Set(found[i].member, score)
	}
	event := "georadiusstore"
	if q == geoSearchStore {
		event = "geosearchstore"
	}
	c.Tx.Count(max(result.Len(), 1))
	storeZSet(c, a.dest, result, event)
}

func (a *geoSearchArgs) reply(c *command.Ctx, found []geoPoint) error {
	fields := 1
	for _, with := range []bool{a.dist, a.hash, a.coord} {
		if with {
			fields++
		}
	}
	start := c.W.Len()
	c.W.Array(len(found))
	for i := range found {
		p := &found[i]
		if fields > 1 {
			c.W.Array(fields)
		}
		c.W.Bulk(p.member)
		if a.dist {
			replyDistance(c, p.distance/a.shape.Unit)
		}
		if a.hash {
			c.W.Int(int64(p.score))
		}
		if a.coord {
			replyPlace(c, p.lon, p.lat)
		}
		if c.W.Len()-start > maxReply {
			c.W.Truncate(start)
			return errReplySize
		}
	}
	return nil
}

// geoRadiusKeys finds the key, and those behind STORE and STOREDIST, of which
// the options begin at a place of argv.
func geoRadiusKeys(options int) func(argv [][]byte) [][]byte {
	return func(argv [][]byte) [][]byte {
		keys := [][]byte{argv[1]}
		for i := options; i < len(argv)-1; i++ {
			if args.EqualFold(argv[i], "STORE") || args.EqualFold(argv[i], "STOREDIST") {
				i++
				keys = append(keys, argv[i])
			}
		}
		return keys
	}
}

func geoCount(anyArg command.Arg) command.Arg {
	return command.Arg{Name: "count-block", Type: "block", Optional: true, Args: []command.Arg{
		{Name: "count", Type: "integer", Token: "COUNT"}, anyArg,
	}}
}

var (
	geoCountArg    = geoCount(optional(flagArg("any", "ANY")))
	geoCountAnyArg = geoCount(sinceVersion("6.2.0", optional(flagArg("any", "ANY"))))
	geoOrderArg    = command.Arg{Name: "order", Type: "oneof", Optional: true, Args: []command.Arg{flagArg("asc", "ASC"), flagArg("desc", "DESC")}}
	geoWithArgs    = []command.Arg{
		optional(flagArg("withcoord", "WITHCOORD")), optional(flagArg("withdist", "WITHDIST")), optional(flagArg("withhash", "WITHHASH")),
	}
	geoFromArg = command.Arg{Name: "from", Type: "oneof", Args: []command.Arg{
		{Name: "member", Type: "string", Token: "FROMMEMBER"},
		{Name: "fromlonlat", Type: "block", Token: "FROMLONLAT", Args: []command.Arg{lonArg, latArg}},
	}}
	geoByArg = command.Arg{Name: "by", Type: "oneof", Args: []command.Arg{
		{Name: "circle", Type: "block", Args: []command.Arg{{Name: "radius", Type: "double", Token: "BYRADIUS"}, geoUnitArg}},
		{Name: "box", Type: "block", Args: []command.Arg{{Name: "width", Type: "double", Token: "BYBOX"}, {Name: "height", Type: "double"}, geoUnitArg}},
	}}
	geoStoreArg = command.Arg{Name: "store", Type: "oneof", Optional: true, Args: []command.Arg{
		{Name: "storekey", Type: "key", Shown: "key", Token: "STORE"}, {Name: "storedistkey", Type: "key", Shown: "key", Token: "STOREDIST"},
	}}
	geoCenterArgs = []command.Arg{keyArg, lonArg, latArg, {Name: "radius", Type: "double"}, geoUnitArg}
	geoMemberArgs = []command.Arg{keyArg, memberArg, {Name: "radius", Type: "double"}, geoUnitArg}
)

var geoSearchCommand = &command.Spec{
	Name: "geosearch", Arity: -7, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupGeo, Since: "6.2.0",
	Summary: "Queries a geospatial index for members inside an area of a box or a circle.",
	Args:    append([]command.Arg{keyArg, geoFromArg, geoByArg, geoOrderArg, geoCountArg}, geoWithArgs...),
	Bind:    command.Bind(geoSearch.parse, geoSearch.run),
}

var geoSearchStoreCommand = &command.Spec{
	Name: "geosearchstore", Arity: -8, Flags: command.Write | command.DenyOOM, Keys: command.TwoKeys, Group: command.GroupGeo, Since: "6.2.0",
	Summary: "Queries a geospatial index for members inside an area of a box or a circle, optionally stores the result.",
	Args: []command.Arg{
		{Name: "destination", Type: "key"},
		{Name: "source", Type: "key"},
		geoFromArg, geoByArg, geoOrderArg, geoCountArg, optional(flagArg("storedist", "STOREDIST")),
	},
	Bind: command.Bind(geoSearchStore.parse, geoSearchStore.run),
}

var geoRadiusCommand = &command.Spec{
	Name: "georadius", Arity: -6, Flags: command.Write | command.DenyOOM | command.MovableKeys, Keys: command.KeySpec{First: 1, Last: 1, Step: 1, Find: geoRadiusKeys(6)}, Group: command.GroupGeo, Since: "3.2.0",
	Summary: "Queries a geospatial index for members within a distance from a coordinate, optionally stores the result.",
	Args:    slices.Concat(geoCenterArgs, geoWithArgs, []command.Arg{geoCountAnyArg, geoOrderArg}, []command.Arg{geoStoreArg}),
	Bind:    command.Bind(geoRadius.parse, geoRadius.run),
}

var geoRadiusROCommand = &command.Spec{
	Name: "georadius_ro", Arity: -6, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupGeo, Since: "3.2.10",
	Summary: "Returns members from a geospatial index that are within a distance from a coordinate.",
	Args:    slices.Concat(geoCenterArgs, geoWithArgs, []command.Arg{geoCountAnyArg, geoOrderArg}),
	Bind:    command.Bind(geoRadiusRO.parse, geoRadiusRO.run),
}

var geoRadiusByMemberCommand = &command.Spec{
	Name: "georadiusbymember", Arity: -5, Flags: command.Write | command.DenyOOM | command.MovableKeys, Keys: command.KeySpec{First: 1, Last: 1, Step: 1, Find: geoRadiusKeys(5)}, Group: command.GroupGeo, Since: "3.2.0",
	Summary: "Queries a geospatial index for members within a distance from a member, optionally stores the result.",
	Args:    slices.Concat(geoMemberArgs, geoWithArgs, []command.Arg{geoCountArg, geoOrderArg}, []command.Arg{geoStoreArg}),
	Bind:    command.Bind(geoByMember.parse, geoByMember.run),
}

var geoRadiusByMemberROCommand = &command.Spec{
	Name: "georadiusbymember_ro", Arity: -5, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupGeo, Since: "3.2.10",
	Summary: "Returns members from a geospatial index that are within a distance from a member.",
	Args:    slices.Concat(geoMemberArgs, geoWithArgs, []command.Arg{geoCountArg, geoOrderArg}),
	Bind:    command.Bind(geoByMemberRO.parse, geoByMemberRO.run),
}
