package catalog

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/nearcache/nearcache/index/search"
)

// Option is a setting of FT.CONFIG.
type Option uint8

// The settings.
const (
	Timeout        Option = iota // in ms, of a search that says nothing else
	OnTimeout                    // 1: a search that has taken too long is an error
	DefaultDialect               // of a query that says nothing else
	MaxSearchResults
	MinPrefix
	options
)

// fixed is the first of those that only tell what holds here.
const fixed = MaxSearchResults

type option struct {
	name, help       string
	low, value, high int64
	words            []string // of the values, where they are not numbers
}

// DefaultTimeout is the TIMEOUT of a search, as in RediSearch.
const DefaultTimeout = 500

var optionRows = [options]option{
	Timeout:          {name: "TIMEOUT", help: "Query (search) timeout", value: DefaultTimeout, high: math.MaxInt64},
	OnTimeout:        {name: "ON_TIMEOUT", help: "Action to perform when search timeout is exceeded (choose RETURN or FAIL).", high: 1, words: []string{"return", "fail"}},
	DefaultDialect:   {name: "DEFAULT_DIALECT", help: "Set RediSearch default dialect version throughout session.", low: 1, value: 2, high: 4},
	MaxSearchResults: {name: "MAXSEARCHRESULTS", help: "Maximum number of results from ft.search command", value: 1_000_000},
	MinPrefix:        {name: "MINPREFIX", help: "Set the minimum prefix for expansions (`*`)", value: 1},
}

func (r *option) text(n int64) string {
	if r.words != nil {
		return r.words[n]
	}
	return strconv.FormatInt(n, 10)
}

func (r *option) parse(s string) (int64, error) {
	if r.words != nil {
		if i := slices.Index(r.words, strings.ToLower(s)); i >= 0 {
			return int64(i), nil
		}
		return 0, &search.Error{Msg: "Invalid " + r.name + " value"}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, &search.Error{Msg: "Could not convert argument to expected type"}
	}
	if n < r.low || n > r.high {
		return 0, &search.Error{Msg: "Value is outside acceptable bounds"}
	}
	return n, nil
}

// Config holds the settings. The zero value has the defaults.
type Config struct {
	off [options]atomic.Int64 // what is set, less the default
}

// Int is a setting.
func (c *Config) Int(o Option) int64 { return optionRows[o].value + c.off[o].Load() }

// Set changes the setting of a name, in whatever case.
func (c *Config) Set(name, value string) error {
	o := Option(slices.IndexFunc(optionRows[:], func(r option) bool { return strings.EqualFold(r.name, name) }))
	switch {
	case o >= options:
		return &search.Error{Msg: fmt.Sprintf("No such option `%s`", name)}
	case o >= fixed:
		return &search.Error{Msg: "Not modifiable at runtime"}
	}
	n, err := optionRows[o].parse(value)
	if err == nil {
		c.off[o].Store(n - optionRows[o].value)
	}
	return err
}

// Each calls f with the setting of a name, or with all for "*".
func (c *Config) Each(name string, f func(name, help, value string)) {
	for o := range options {
		if r := &optionRows[o]; name == "*" || strings.EqualFold(r.name, name) {
			f(r.name, r.help, r.text(c.Int(o)))
		}
	}
}
