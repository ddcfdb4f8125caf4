package server

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
)

// Kind is how the text of a setting is read.
type Kind uint8

// The kinds of settings.
const (
	Int    Kind = iota
	Memory      // bytes, with k kb m mb g gb
	Octal
	Bool
	Enum
	String
)

// describe is the kind's form in --help.
func (s *Setting) describe() string {
	switch s.Kind {
	case Memory:
		return "bytes"
	case Octal:
		return "octal"
	case Bool:
		return "yes|no"
	case Enum:
		return strings.Join(s.Words, "|")
	case String:
		if s.Multi {
			return "words"
		}
		return "text"
	}
	return "number"
}

// parse reads words for the setting. The errors are Redis' own.
func (s *Setting) parse(words []string, old string) (int64, string, error) {
	if s.Parse != nil {
		return s.Parse(words, old)
	}
	if len(words) != 1 {
		return 0, "", errors.New("wrong number of arguments")
	}
	w := words[0]
	switch s.Kind {
	case String:
		return 0, w, nil
	case Bool:
		switch strings.ToLower(w) {
		case "yes":
			return 1, "yes", nil
		case "no":
			return 0, "no", nil
		}
		return 0, "", errors.New("argument must be 'yes' or 'no'")
	case Enum:
		i := slices.IndexFunc(s.Words, func(x string) bool { return strings.EqualFold(x, w) })
		if i < 0 {
			return 0, "", errors.New("argument(s) must be one of the following: " + strings.Join(s.Words, ", "))
		}
		return int64(i), s.Words[i], nil
	case Memory:
		n, ok := ParseMemory(w)
		if !ok {
			return 0, "", errors.New("argument must be a memory value")
		}
		return s.inRange(n, strconv.FormatInt(n, 10))
	case Octal:
		n, err := strconv.ParseInt(w, 8, 64)
		if err != nil {
			return 0, "", errors.New("argument couldn't be parsed as an octal number")
		}
		if n < s.Min || n > s.Max {
			return 0, "", fmt.Errorf("argument must be between %o and %o inclusive", s.Min, s.Max)
		}
		return n, strconv.FormatInt(n, 8), nil
	}
	n, ok := resp.ParseInt([]byte(w))
	if !ok {
		return 0, "", errors.New("argument couldn't be parsed into an integer")
	}
	return s.inRange(n, w)
}

func (s *Setting) inRange(n int64, text string) (int64, string, error) {
	if n < s.Min || n > s.Max {
		return 0, "", fmt.Errorf("argument must be between %d and %d inclusive", s.Min, s.Max)
	}
	return n, text, nil
}

// ParseMemory reads a number of bytes with an optional unit, as in 100, 64kb or
// 1g. What is too large is as much as there can be.
func ParseMemory(s string) (int64, bool) {
	i := 0
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		i++
	}
	unit := uint64(1)
	switch strings.ToLower(s[i:]) {
	case "", "b":
	case "k":
		unit = 1e3
	case "kb":
		unit = 1 << 10
	case "m":
		unit = 1e6
	case "mb":
		unit = 1 << 20
	case "g":
		unit = 1e9
	case "gb":
		unit = 1 << 30
	default:
		return 0, false
	}
	if i > 128 {
		return 0, false
	}
	if i == 0 { // as strtoull reads nothing
		return 0, true
	}
	n, err := strconv.ParseUint(s[:i], 10, 64)
	if err != nil || n > math.MaxInt64/unit {
		return math.MaxInt64, true
	}
	return int64(n * unit), true
}

func parseBind(words []string, _ string) (int64, string, error) {
	if len(words) > 16 {
		//lint:ignore ST1005 Redis' text
		return 0, "", errors.New("Too many bind addresses specified.")
	}
	return 0, strings.TrimSpace(strings.Join(words, " ")), nil
}

func parseDir(words []string, _ string) (int64, string, error) {
	if len(words) != 1 {
		return 0, "", errors.New("wrong number of arguments")
	}
	dir, err := filepath.Abs(words[0])
	return 0, dir, err
}

func parseSave(words []string, _ string) (int64, string, error) {
	if len(words) == 1 && words[0] == "" {
		return 0, "", nil
	}
	//lint:ignore ST1005 Redis' text
	bad := errors.New("Invalid save parameters")
	if len(words)%2 != 0 {
		return 0, "", bad
	}
	for i, w := range words {
		if n, ok := resp.ParseInt([]byte(w)); !ok || n < int64(1-i%2) {
			return 0, "", bad
		}
	}
	return 0, strings.Join(words, " "), nil
}

// parseReplicaOf reads a host and a port; NO ONE is nobody.
func parseReplicaOf(words []string, _ string) (int64, string, error) {
	switch {
	case len(words) == 1 && words[0] == "", len(words) == 2 && strings.EqualFold(words[0], "no") && strings.EqualFold(words[1], "one"):
		return 0, "", nil
	case len(words) == 2:
		if port, ok := resp.ParseInt([]byte(words[1])); ok && port > 0 && port <= 65535 {
			return 0, strings.Join(words, " "), nil
		}
	}
	return 0, "", errors.New("a host and a port are wanted, or no one")
}

// outputClasses are the classes of client-output-buffer-limit, in the order of
// CONFIG GET.
var outputClasses = []string{"normal", "slave", "pubsub"}

// outputLimits reads the canonical text: class → hard, soft, seconds.
func outputLimits(text string) map[string][3]int64 {
	m := map[string][3]int64{}
	for w := strings.Fields(text); len(w) >= 4; w = w[4:] {
		var v [3]int64
		for i := range v {
			v[i], _ = ParseMemory(w[i+1])
		}
		m[w[0]] = v
	}
	return m
}

func parseOutputLimits(words []string, old string) (int64, string, error) {
	if len(words)%4 != 0 {
		//lint:ignore ST1005 Redis' text
		return 0, "", errors.New("Wrong number of arguments in buffer limit configuration.")
	}
	limits := outputLimits(old)
	for w := words; len(w) > 0; w = w[4:] {
		class := strings.ToLower(w[0])
		if class == "replica" {
			class = "slave"
		}
		if !slices.Contains(outputClasses, class) {
			//lint:ignore ST1005 Redis' text
			return 0, "", errors.New("Invalid client class specified in buffer limit configuration.")
		}
		hard, ok := ParseMemory(w[1])
		soft, ok2 := ParseMemory(w[2])
		seconds, ok3 := resp.ParseInt([]byte(w[3]))
		if !ok || !ok2 || !ok3 || seconds < 0 {
			//lint:ignore ST1005 Redis' text
			return 0, "", errors.New("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
		}
		limits[class] = [3]int64{hard, soft, seconds}
	}
	var b []byte
	for i, class := range outputClasses {
		if i > 0 {
			b = append(b, ' ')
		}
		v := limits[class]
		b = fmt.Appendf(b, "%s %d %d %d", class, v[0], v[1], v[2])
	}
	return 0, string(b), nil
}

const errPercentiles resp.Error = "Invalid latency-tracking-info-percentiles parameters"

// parsePercentiles reads the percentiles of latency-tracking-info-percentiles.
func parsePercentiles(words []string, _ string) (int64, string, error) {
	if len(words) == 1 && words[0] == "" {
		return 0, "", nil
	}
	var l []string
	for _, w := range words {
		p, ok := args.ParseFloat([]byte(w))
		if !ok {
			return 0, "", errPercentiles
		}
		if p < 0 || p > 100 {
			return 0, "", errors.New("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
		}
		l = append(l, strconv.FormatFloat(math.Round(p*1e6)/1e6, 'f', -1, 64))
	}
	return 0, strings.Join(l, " "), nil
}
