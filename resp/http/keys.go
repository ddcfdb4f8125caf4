package http

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/nearcache/nearcache/store/semcache"
)

// Key is who may come in, as the setting http-keys says.
type Key struct {
	User  string
	Hash  [sha256.Size]byte // of the key
	Scope []semcache.Pair   // what it stores and sees; none: everything
}

// userName is what a user may be called.
var userName = regexp.MustCompile(`^[A-Za-z0-9._@-]+$`)

// mark is what the names of a key's scope begin with.
const mark = "@"

// ParseKey reads user:key or user:key:scope. The key is itself, or # and its
// SHA-256 in hex. The scope is field=value,… or *; without one it is the user.
func ParseKey(word string) (Key, error) {
	var k Key
	user, rest, ok := strings.Cut(word, ":")
	switch {
	case !ok || !userName.MatchString(user):
		return k, errors.New("a key has the form user:key or user:key:field=value,…, and a user has letters, digits, points and dashes")
	case len(word) > semcache.MaxWord || strings.ContainsRune(word, '\x1f'):
		return k, fmt.Errorf("the key of %s is too long, or has a byte 31", user)
	}
	k.User = user
	key, scope, scoped := strings.Cut(rest, ":")
	if key == "" {
		return k, fmt.Errorf("the key of %s is empty", user)
	}
	if h, is := strings.CutPrefix(key, "#"); is {
		b, err := hex.DecodeString(h)
		if err != nil || len(b) != len(k.Hash) {
			return k, fmt.Errorf("the key of %s: behind # stands a SHA-256 of 64 hex digits", user)
		}
		copy(k.Hash[:], b)
	} else {
		k.Hash = sha256.Sum256([]byte(key))
	}
	switch {
	case !scoped:
		k.Scope = []semcache.Pair{{Field: mark + "user", Value: user}}
	case scope != "*":
		for _, p := range strings.Split(scope, ",") {
			field, value, ok := strings.Cut(p, "=")
			if !ok || field == "" || value == "" {
				return k, fmt.Errorf("the scope of %s: %q is not field=value", user, p)
			}
			field = mark + field
			if slices.ContainsFunc(k.Scope, func(p semcache.Pair) bool { return p.Field == field }) {
				return k, fmt.Errorf("the scope of %s: %q comes after another value of that field", user, p)
			}
			k.Scope = append(k.Scope, semcache.Pair{Field: field, Value: value})
		}
	}
	return k, nil
}

// String is the key as ParseKey reads it, without what it is.
func (k Key) String() string {
	s := k.User + ":#" + hex.EncodeToString(k.Hash[:])
	if len(k.Scope) == 0 {
		return s + ":*"
	}
	var l []string
	for _, p := range k.Scope {
		l = append(l, strings.TrimPrefix(p.Field, mark)+"="+p.Value)
	}
	return s + ":" + strings.Join(l, ",")
}

// caller is who has sent a request.
type caller struct {
	user  string
	scope []semcache.Pair
	own   bool // the key is one of ours: it is not for upstream
}

// accounts are the headers by which upstream knows who asks, beside Authorization.
var accounts = []string{"Api-Key", "X-Api-Key", "X-Goog-Api-Key", "Openai-Organization", "Openai-Project"}

// upstream is what separates answers by who asks upstream, and with what query: those who say the same of both share
// the answers.
func (c *caller) upstream(r *http.Request) (scope []semcache.Pair) {
	var said []byte
	if !c.own { // the key is upstream's
		said = append(said, r.Header.Get("Authorization")...)
	}
	for _, name := range accounts {
		for _, v := range r.Header.Values(name) {
			said = fmt.Appendf(said, "\n%s: %s", name, v)
		}
	}
	if r.URL.RawQuery != "" {
		said = fmt.Appendf(said, "\n?%s", r.URL.RawQuery)
	}
	if c.own && said == nil {
		return nil
	}
	sum := sha256.Sum256(said)
	return []semcache.Pair{{Field: mark + "key", Value: hex.EncodeToString(sum[:16])}}
}

// refusal is why a caller may not come in.
type refusal struct {
	status int
	text   string
}

func bearer(r *http.Request) string {
	kind, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(kind, "Bearer") {
		return ""
	}
	return strings.TrimSpace(key)
}

// authenticate finds out who it is.
func (s *Settings) authenticate(r *http.Request) (caller, *refusal) {
	key := bearer(r)
	hash := sha256.Sum256([]byte(key))
	switch {
	case len(s.Keys) > 0:
		for i := range s.Keys { // hashes of keys tell nothing by how long they take to compare
			if s.Keys[i].Hash == hash {
				return caller{user: s.Keys[i].User, scope: s.Keys[i].Scope, own: true}, nil
			}
		}
	case s.Password != "":
		if sha256.Sum256([]byte(s.Password)) == hash {
			return caller{user: "default", own: true}, nil
		}
	case s.Protected && !isLocal(r.RemoteAddr):
		return caller{}, &refusal{http.StatusForbidden, "there are neither keys nor a password, so only clients on this machine are served (protected-mode). Set http-keys or requirepass"}
	case s.Protected && !namesThisMachine(r.Host):
		return caller{}, &refusal{http.StatusForbidden, "without keys or a password the server answers by its address or as localhost only (protected-mode)"}
	default:
		return caller{user: "default"}, nil
	}
	if key == "" {
		return caller{}, &refusal{http.StatusUnauthorized, "a key is needed, as Authorization: Bearer KEY"}
	}
	return caller{}, &refusal{http.StatusUnauthorized, "the key is not known"}
}

func isLocal(addr string) bool {
	a, err := netip.ParseAddrPort(addr)
	return err != nil || a.Addr().Unmap().IsLoopback() // what has no address came through a unix socket
}

// namesThisMachine keeps out web pages whose name was made to point here.
func namesThisMachine(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host == "" || strings.EqualFold(host, "localhost") {
		return true
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}
