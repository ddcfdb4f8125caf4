package observe

import "bytes"

// secretSettings are those whose values are not shown.
var secretSettings = []string{"requirepass", "masterauth", "masteruser", "primaryauth", "primaryuser", "tls-key-file-pass", "tls-client-key-file-pass", "embed-key", "http-keys", "http-upstream-key"}

var hidden = []byte("(redacted)")

// Redacted returns the arguments of a command without what others should not see.
func Redacted(name string, args [][]byte) [][]byte {
	var hide func(i int) bool
	is := func(i int, word string) bool {
		return i >= 0 && i < len(args) && bytes.EqualFold(args[i], []byte(word))
	}
	switch name {
	case "auth":
		hide = func(i int) bool { return i == 1 || i == 2 }
	case "hello":
		hide = func(i int) bool {
			return is(i-1, "AUTH") && i+1 < len(args) && i > 2 || is(i-2, "AUTH") && i > 3
		}
	case "config|set":
		hide = func(i int) bool {
			for _, s := range secretSettings {
				if i >= 3 && i%2 == 1 && is(i-1, s) {
					return true
				}
			}
			return false
		}
	case "acl|setuser", "acl|deluser", "acl|getuser":
		hide = func(i int) bool { return i >= 2 }
	case "migrate":
		hide = func(i int) bool { return i > 5 && (is(i-1, "AUTH") || is(i-1, "AUTH2") || is(i-2, "AUTH2")) }
	default:
		return args
	}
	out := append([][]byte(nil), args...)
	for i := range out {
		if i > 0 && hide(i) {
			out[i] = hidden
		}
	}
	return out
}
