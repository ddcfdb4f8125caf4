package commands

import (
	"fmt"
	"math"
	"strconv"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store/geo"
	"github.com/nearcache/nearcache/store/types/zset"
)

var geoCommands = []*command.Spec{
	geoAddCommand, geoDistCommand, geoHashCommand, geoPosCommand,
	geoSearchCommand, geoSearchStoreCommand,
	geoRadiusCommand, geoRadiusROCommand, geoRadiusByMemberCommand, geoRadiusByMemberROCommand,
}

const (
	errGeoUnit   resp.Error = "ERR unsupported unit provided. please use M, KM, FT, MI"
	errGeoMember resp.Error = "ERR could not decode requested zset member"
	errGeoRadius resp.Error = "ERR need numeric radius"
	errGeoNeg    resp.Error = "ERR radius cannot be negative"
	errGeoWidth  resp.Error = "ERR need numeric width"
	errGeoHeight resp.Error = "ERR need numeric height"
	errGeoBoxNeg resp.Error = "ERR height or width cannot be negative"
	errGeoCount  resp.Error = "ERR COUNT must be > 0"
	errGeoAny    resp.Error = "ERR the ANY argument requires COUNT argument"
)

// parsePlace reads a longitude and a latitude.
func parsePlace(l [][]byte) (lon, lat float64, err error) {
	var ok1, ok2 bool
	lon, ok1 = args.ParseFloat(l[0])
	lat, ok2 = args.ParseFloat(l[1])
	switch {
	case !ok1 || !ok2:
		return 0, 0, resp.ErrNotFloat
	case !geo.Valid(lon, lat):
		return 0, 0, resp.Error(fmt.Sprintf("ERR invalid longitude,latitude pair %s,%s", fixed6(lon), fixed6(lat)))
	}
	return lon, lat, nil
}

// fixed6 prints a number as %f of C does.
func fixed6(f float64) string {
	if math.IsInf(f, 0) {
		return string(resp.AppendDouble(nil, f))
	}
	return strconv.FormatFloat(f, 'f', 6, 64)
}

// parseUnit is how many meters a unit has.
func parseUnit(b []byte) (float64, error) {
	switch {
	case args.EqualFold(b, "m"):
		return 1, nil
	case args.EqualFold(b, "km"):
		return 1000, nil
	case args.EqualFold(b, "ft"):
		return 0.3048, nil
	case args.EqualFold(b, "mi"):
		return 1609.34, nil
	}
	return 0, errGeoUnit
}

// replyDistance writes a distance with four digits behind the point.
func replyDistance(c *command.Ctx, d float64) {
	n := uint64(math.RoundToEven(d * 10000))
	var room [40]byte
	b := strconv.AppendUint(room[:0], n/10000, 10)
	b = append(b, '.')
	for div := uint64(1000); div > 0; div /= 10 {
		b = append(b, byte('0'+n/div%10))
	}
	c.W.Bulk(b)
}

func replyPlace(c *command.Ctx, lon, lat float64) {
	c.W.Array(2)
	c.W.Double(lon)
	c.W.Double(lat)
}

var (
	lonArg      = command.Arg{Name: "longitude", Type: "double"}
	latArg      = command.Arg{Name: "latitude", Type: "double"}
	geoUnitArgs = []command.Arg{flagArg("m", "M"), flagArg("km", "KM"), flagArg("ft", "FT"), flagArg("mi", "MI")}
	geoUnitArg  = command.Arg{Name: "unit", Type: "oneof", Args: geoUnitArgs}
)

var geoAddCommand = &command.Spec{
	Name: "geoadd", Arity: -5, Flags: command.Write | command.DenyOOM, Keys: command.OneKey, Group: command.GroupGeo, Since: "3.2.0",
	Summary: "Adds one or more members to a geospatial index. The key is created if it doesn't exist.",
	Args: []command.Arg{
		keyArg,
		{Name: "condition", Type: "oneof", Since: "6.2.0", Optional: true, Args: []command.Arg{flagArg("nx", "NX"), flagArg("xx", "XX")}},
		{Name: "change", Type: "pure-token", Token: "CH", Since: "6.2.0", Optional: true},
		{Name: "data", Type: "block", Multiple: true, Args: []command.Arg{lonArg, latArg, memberArg}},
	},
	Bind: command.Bind(parseGeoAdd, runZAdd),
}

func parseGeoAdd(p *args.Parser) zAddArgs {
	a := zAddArgs{key: p.Bytes()}
options:
	for {
		switch {
		case p.Accept("NX"):
			a.nx = true
		case p.Accept("XX"):
			a.xx = true
		case p.Accept("CH"):
			a.ch = true
		default:
			break options
		}
	}
	rest := p.Rest()
	if len(rest) == 0 || len(rest)%3 != 0 || a.nx && a.xx {
		p.Fail(resp.ErrSyntax)
	}
	if p.Err() != nil {
		return a
	}
	a.scores = make([]float64, 0, len(rest)/3)
	a.pairs = make([][]byte, 0, len(rest)/3*2)
	for ; len(rest) > 0; rest = rest[3:] {
		lon, lat, err := parsePlace(rest)
		if err != nil {
			p.Fail(err)
			return a
		}
		a.scores = append(a.scores, float64(geo.Encode(lon, lat)))
		a.pairs = append(a.pairs, nil, rest[2])
	}
	return a
}

var geoDistCommand = &command.Spec{
	Name: "geodist", Arity: -4, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupGeo, Since: "3.2.0",
	Summary: "Returns the distance between two members of a geospatial index.",
	Args: []command.Arg{
		keyArg,
		{Name: "member1", Type: "string"},
		{Name: "member2", Type: "string"},
		{Name: "unit", Type: "oneof", Optional: true, Args: geoUnitArgs},
	},
	Bind: command.Bind(parseGeoDist, runGeoDist),
}

type geoDistArgs struct {
	triple
	unit float64
}

func parseGeoDist(p *args.Parser) geoDistArgs {
	a := geoDistArgs{parseTriple(p), 1}
	if p.Len() == 1 {
		unit, err := parseUnit(p.Bytes())
		p.Fail(err)
		a.unit = unit
	}
	return a
}

func runGeoDist(c *command.Ctx, a geoDistArgs) error {
	v, err := getZSet(c, a.key)
	if err != nil {
		return err
	}
	if v != nil {
		s1, ok1 := v.Score(a.field)
		s2, ok2 := v.Score(a.value)
		if ok1 && ok2 {
			lon1, lat1 := geo.Decode(s1)
			lon2, lat2 := geo.Decode(s2)
			replyDistance(c, geo.Distance(lon1, lat1, lon2, lat2)/a.unit)
			return nil
		}
	}
	c.W.Null()
	return nil
}

var geoMembersArgs = []command.Arg{keyArg, {Name: "member", Type: "string", Optional: true, Multiple: true}}

var geoHashCommand = &command.Spec{
	Name: "geohash", Arity: -2, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupGeo, Since: "3.2.0",
	Summary: "Returns members from a geospatial index as geohash strings.",
	Args:    geoMembersArgs,
	Bind: command.Bind(parseKeyFields, runPlaces(func(c *command.Ctx, lon, lat float64) {
		var text [16]byte
		c.W.Bulk(geo.AppendHash(text[:0], lon, lat))
	}, (*resp.Writer).Null)),
}

var geoPosCommand = &command.Spec{
	Name: "geopos", Arity: -2, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupGeo, Since: "3.2.0",
	Summary: "Returns the longitude and latitude of members from a geospatial index.",
	Args:    geoMembersArgs,
	Bind:    command.Bind(parseKeyFields, runPlaces(replyPlace, (*resp.Writer).NullArray)),
}

// runPlaces replies for each member with its place, or with null.
func runPlaces(reply func(c *command.Ctx, lon, lat float64), null func(*resp.Writer)) func(*command.Ctx, keyFields) error {
	return func(c *command.Ctx, a keyFields) error {
		v, err := getZSet(c, a.key)
		if err != nil {
			return err
		}
		if v == nil {
			v = noZSet
		}
		c.W.Array(len(a.fields))
		for _, m := range a.fields {
			if score, ok := v.Score(m); ok {
				lon, lat := geo.Decode(score)
				reply(c, lon, lat)
			} else {
				null(c.W)
			}
		}
		return nil
	}
}

// noZSet is what is read where there is no key.
var noZSet = zset.New(0, 0)
