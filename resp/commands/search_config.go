package commands

import (
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
)

var ftConfigCommand = &command.Spec{
	Name: "ft.config", Arity: -3, Flags: command.ReadOnly | command.Keyless | command.Admin | command.FromModule, Group: command.GroupSearch,
	Since: "1.0.0", Summary: "Sets, retrieves or explains runtime configuration options",
	Args: []command.Arg{
		oneOf("action", "GET", "SET", "HELP"), {Name: "option", Type: "string"}, {Name: "value", Type: "string", Optional: true},
	},
	Complexity: "O(1)",
	Bind:       command.Bind(parseFTConfig, runFTConfig),
}

type ftConfig struct {
	action, name string
	value        string
	hasValue     bool
	excess       bool
}

func parseFTConfig(a *args.Parser) ftConfig {
	p := ftConfig{}
	for _, action := range []string{"GET", "SET", "HELP"} {
		if a.Accept(action) {
			p.action = action
			break
		}
	}
	if p.action == "" {
		a.Bytes()
	}
	p.name = a.String()
	if a.More() {
		p.value, p.hasValue = a.String(), true
	}
	p.excess = len(a.Rest()) > 0
	return p
}

func runFTConfig(c *command.Ctx, p ftConfig) error {
	switch p.action {
	case "GET", "HELP":
		writeFTConfig(c, p)
	case "SET":
		if !p.hasValue {
			return resp.Error("Expected an argument, but none provided")
		}
		if err := c.Catalog.Config.Set(p.name, p.value); err != nil {
			return searchError(err)
		}
		if p.excess { // as RediSearch, which has set it then
			c.W.Status("EXCESSARGS")
			return nil
		}
		c.W.Status("OK")
	default:
		c.W.Status("No such configuration action")
	}
	return nil
}

func writeFTConfig(c *command.Ctx, p ftConfig) {
	type row struct{ name, help, value string }
	var rows []row
	c.Catalog.Config.Each(p.name, func(name, help, value string) { rows = append(rows, row{name, help, value}) })
	w, resp3, help := c.W, c.W.Proto() == 3, p.action == "HELP"
	if resp3 {
		w.Map(len(rows))
	} else {
		w.Array(len(rows))
	}
	for _, r := range rows {
		switch {
		case !resp3 && help:
			w.Array(5)
		case !resp3:
			w.Array(2)
		}
		w.BulkString(r.name)
		if help {
			if resp3 {
				w.Map(2)
			}
			w.BulkString("Description")
			w.BulkString(r.help)
			w.BulkString("Value")
		}
		w.BulkString(r.value)
	}
}
