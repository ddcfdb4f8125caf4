package commands

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"strings"
	"sync"
)

// Reference is what Redis says of one of its commands. It fills in what our row of
// the command does not hold: COMMAND and COMMAND DOCS show it, and nearcache
// commands shows what is not here.
type Reference struct {
	Name            string      `json:"name"` // "client|kill"
	Arity           int         `json:"arity"`
	Flags           []string    `json:"flags,omitempty"`
	Keys            [3]int      `json:"keys"` // first, last, step
	Categories      []string    `json:"categories,omitempty"`
	Tips            []string    `json:"tips,omitempty"`
	Specs           []KeySpec   `json:"specs,omitempty"`
	Since           string      `json:"since,omitempty"`
	Group           string      `json:"group,omitempty"`
	Summary         string      `json:"summary,omitempty"`
	Complexity      string      `json:"complexity,omitempty"`
	Module          string      `json:"module,omitempty"`
	DocFlags        []string    `json:"doc_flags,omitempty"`
	DeprecatedSince string      `json:"deprecated_since,omitempty"`
	ReplacedBy      string      `json:"replaced_by,omitempty"`
	History         [][2]string `json:"history,omitempty"` // version, what changed
}

// KeySpec says where some of a command's keys are, and what it does with them.
type KeySpec struct {
	Notes     string   `json:"notes,omitempty"`
	Flags     []string `json:"flags"`
	Begin     string   `json:"begin"` // "index", "keyword" or "unknown"
	Index     int      `json:"index,omitempty"`
	Keyword   string   `json:"keyword,omitempty"`
	StartFrom int      `json:"startfrom,omitempty"`
	Find      string   `json:"find"` // "range", "keynum" or "unknown"
	LastKey   int      `json:"lastkey,omitempty"`
	KeyStep   int      `json:"keystep,omitempty"`
	Limit     int      `json:"limit,omitempty"`
	KeyNumIdx int      `json:"keynumidx,omitempty"`
	FirstKey  int      `json:"firstkey,omitempty"`
}

// referenceText is the record of a real Redis 8.10, a line for each command. A test
// of package resptest writes it.
//
//go:embed redis8.jsonl
var referenceText []byte

// references reads the record at first use.
var references = sync.OnceValue(func() map[string]*Reference {
	m := map[string]*Reference{}
	for _, line := range bytes.Split(bytes.TrimSpace(referenceText), []byte("\n")) {
		r := new(Reference)
		if err := json.Unmarshal(line, r); err != nil {
			panic("record of Redis' commands: " + err.Error())
		}
		m[strings.ToLower(r.Name)] = r
	}
	return m
})

// References lists what Redis 8.10 says of all its commands, by their names in lower
// case.
func References() map[string]*Reference { return references() }
