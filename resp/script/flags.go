package script

import (
	"bytes"
	"strings"

	"github.com/nearcache/nearcache/resp"
)

// Flags are what a script says of itself in its first line, or a function when
// it registers.
type Flags uint

// The flags, with Redis' names.
const (
	NoWrites Flags = 1 << iota
	AllowOOM
	AllowStale
	NoCluster
	AllowCrossSlotKeys
	// Compat is a script without such a line: it may do what its commands may.
	Compat
)

var flagNames = []struct {
	flag Flags
	name string
}{
	{NoWrites, "no-writes"},
	{AllowOOM, "allow-oom"},
	{AllowStale, "allow-stale"},
	{NoCluster, "no-cluster"},
	{AllowCrossSlotKeys, "allow-cross-slot-keys"},
}

// Names lists the flags.
func (f Flags) Names() (l []string) {
	for _, n := range flagNames {
		if f&n.flag != 0 {
			l = append(l, n.name)
		}
	}
	return l
}

// DeniesOOM reports whether the script must not run while memory is full.
func (f Flags) DeniesOOM() bool { return f&(Compat|AllowOOM|NoWrites) == 0 }

// MayWrite reports whether the script may contain commands that write.
func (f Flags) MayWrite() bool { return f&NoWrites == 0 }

func flagNamed(name string) (Flags, bool) {
	for _, n := range flagNames {
		if n.name == name {
			return n.flag, true
		}
	}
	return 0, false
}

// shebang cuts the first line off a script and reads its flags. The code keeps
// its line numbers: the line feed stays.
func shebang(body string) (code string, flags Flags, err error) {
	if !strings.HasPrefix(body, "#!") {
		return body, Compat, nil
	}
	line, _, found := strings.Cut(body, "\n")
	if !found {
		return "", 0, resp.Error("ERR Invalid script shebang")
	}
	parts, ok := resp.SplitArgs(nil, []byte(line))
	if !ok || len(parts) == 0 {
		return "", 0, resp.Error("ERR Invalid engine in script shebang")
	}
	if engine := cString(parts[0]); engine != "#!lua" {
		return "", 0, resp.Error("ERR Unexpected engine in script shebang: " + engine)
	}
	for _, part := range parts[1:] {
		list, found := bytes.CutPrefix(part, []byte("flags="))
		if !found {
			return "", 0, resp.Error("ERR Unknown lua shebang option: " + cString(part))
		}
		if len(list) == 0 {
			continue
		}
		for name := range bytes.SplitSeq(list, []byte(",")) {
			f, ok := flagNamed(cString(name))
			if !ok {
				return "", 0, resp.Error("ERR Unexpected flag in script shebang: " + cString(name))
			}
			flags |= f
		}
	}
	return body[len(line):], flags, nil
}

// cString is what C sees of a string: up to the first NUL.
func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
