package server

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/store/glob"
)

// LoadConfig makes the settings of a server from, in falling precedence:
// arguments (without the program's name) in the form --name value…, variables
// NEARCACHE_NAME of the environment, the file that the first argument names
// where it is no flag, and the defaults. env may be nil. For --help the error
// is [flag.ErrHelp].
func LoadConfig(args []string, env func(string) string) (*Config, error) {
	c := &Config{Args: args}
	for _, s := range Settings {
		if err := c.load(s, s.words(s.Default)); err != nil {
			return nil, fmt.Errorf("default of %s: %w", s.Name, err)
		}
	}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		if err := c.loadFile(args[0]); err != nil {
			return nil, err
		}
		args = args[1:]
	}
	if env != nil {
		for _, s := range Settings {
			if v := env(s.Variable()); v != "" {
				if err := c.load(s, s.words(v)); err != nil {
					return nil, fmt.Errorf("environment variable %s=%s: %w", s.Variable(), s.shown(v), err)
				}
			}
		}
	}
	if err := c.loadFlags(args); err != nil {
		return nil, err
	}
	c.applyLogLevel()
	return c, nil
}

// Variable is the setting's name in the environment.
func (s *Setting) Variable() string {
	return "NEARCACHE_" + strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_"))
}

// words splits a text for settings that take several words.
func (s *Setting) words(text string) []string {
	if !s.Multi || text == "" {
		return []string{text}
	}
	return strings.Fields(text)
}

func (s *Setting) shown(text string) string {
	if s.Secret {
		return "(hidden)"
	}
	return text
}

func (c *Config) load(s *Setting, words []string) error {
	v := s.Field(c)
	if s.Name == "client-output-buffer-limit" && len(words) == 1 && words[0] == "" {
		words = nil
	}
	n, text, err := s.parse(words, v.String())
	if err != nil {
		return err
	}
	v.store(n, text)
	return nil
}

func findSetting(name string) *Setting {
	i := slices.IndexFunc(Settings, func(s *Setting) bool {
		return strings.EqualFold(s.Name, name) || s.Alias != "" && strings.EqualFold(s.Alias, name)
	})
	if i < 0 {
		return nil
	}
	return Settings[i]
}

func (c *Config) loadFlags(args []string) error {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if arg == "-h" || arg == "--help" {
			return flag.ErrHelp
		}
		if !strings.HasPrefix(arg, "--") {
			return fmt.Errorf("argument %q: settings have the form --name value; --help lists them", arg)
		}
		name, inline, _ := strings.Cut(strings.TrimPrefix(arg, "--"), " ") // --name=value is no form of Redis', but easily meant
		if n, v, ok := strings.Cut(name, "="); ok {
			name, inline = n, v
		}
		s := findSetting(name)
		if s == nil {
			return fmt.Errorf("there is no setting %q; --help lists them", name)
		}
		var words []string
		if inline = strings.TrimSpace(inline); inline != "" {
			words = s.words(inline)
		}
		for len(args) > 0 && !strings.HasPrefix(args[0], "--") {
			words = append(words, args[0])
			args = args[1:]
		}
		if s.Multi && len(words) == 1 { // --save "3600 1"
			words = s.words(words[0])
		}
		if len(words) == 0 && s.Name == "save" {
			words = []string{""}
		}
		if err := c.load(s, words); err != nil {
			return fmt.Errorf("--%s: %w", s.Name, err)
		}
	}
	return nil
}

// maxConfigFile is far more than anyone writes, in bytes.
const maxConfigFile = 1 << 20

func (c *Config) loadFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("configuration file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfigFile+1))
	if err != nil {
		return fmt.Errorf("configuration file: %w", err)
	}
	if len(b) > maxConfigFile {
		return fmt.Errorf("configuration file %s is larger than %d bytes", path, maxConfigFile)
	}
	if c.File, err = filepath.Abs(path); err != nil {
		return err
	}
	return c.loadText(path, b)
}

func (c *Config) loadText(path string, text []byte) error {
	var saves []string // the lines of save add up
	for i, line := range bytes.Split(text, []byte("\n")) {
		fail := func(err error) error { return fmt.Errorf("%s line %d: %w", path, i+1, err) }
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		fields, ok := resp.SplitArgs(nil, line)
		if !ok {
			return fail(errors.New("unbalanced quotes"))
		}
		if len(fields) == 0 {
			continue
		}
		var words []string
		for _, f := range fields[1:] {
			words = append(words, string(f))
		}
		name := string(fields[0])
		s := findSetting(name)
		if s == nil {
			if !ignorable(strings.ToLower(name), words) {
				err := fmt.Errorf("there is no setting %q", name)
				if how := instead[strings.ToLower(name)]; how != "" {
					err = fmt.Errorf("%w: %s", err, how)
				}
				return fail(err)
			}
			c.Ignored = append(c.Ignored, strings.ToLower(name))
			continue
		}
		if s.Multi && len(words) == 1 {
			words = s.words(words[0])
		}
		if s.Name == "save" {
			if !slices.Equal(words, []string{""}) {
				words = append(saves, words...)
				saves = words
			} else {
				saves = nil
			}
		}
		if err := c.load(s, words); err != nil {
			return fail(fmt.Errorf("%s: %w", s.Name, err))
		}
	}
	return nil
}

// ignorable reports whether a line of redis.conf may be passed over: it is
// about the inside of Redis, and the server promises nothing less without it.
func ignorable(name string, words []string) bool {
	for _, p := range []string{
		"acllog-max-len", "always-show-logo", "aof-*",
		"array-*", "disable-thp", "hash-*", "hll-sparse-max-bytes",
		"jemalloc-bg-thread", "lfu-*", "list-*", "locale-collate",
		"oom-score-adj*", "proc-title-template", "rdb*", "repl-*", "replica-*",
		"set-*", "stream-node-*", "zset-*", "io-threads*", "active-*", "activedefrag",
	} {
		if glob.MatchString(p, name) {
			return true
		}
	}
	return slices.Equal(words, []string{"no"}) && slices.Contains([]string{"daemonize", "supervised", "cluster-enabled", "syslog-enabled"}, name)
}

// instead says what there is in place of settings of Redis without which a promise would be lost.
var instead = map[string]string{
	"aclfile":         "there is one user, whose password is requirepass",
	"cluster-enabled": "there is no cluster",
	"daemonize":       "the server stays in the foreground, for a service manager",
	"include":         "one file has all settings",
	"loadmodule":      "there are no modules; search, JSON and vector sets are there without",
	"rename-command":  "commands have one name",
	"supervised":      "no service manager is told when the server is ready",
	"syslog-enabled":  "there is logfile, and standard error",
	"user":            "there is one user, whose password is requirepass",
}

// WriteHelp writes the table of settings for --help.
func WriteHelp(w io.Writer) error {
	var b bytes.Buffer
	for _, s := range Settings {
		fmt.Fprintf(&b, "  --%s %s", s.Name, s.describe())
		if s.Default != "" {
			fmt.Fprintf(&b, "   (default %s)", s.Default)
		}
		fmt.Fprintf(&b, "\n        %s\n", s.Help)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// WriteMarkdown writes the table of settings for the documentation.
func WriteMarkdown(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString("| setting | values | default | at run time | meaning |\n|---|---|---|---|---|\n")
	for _, s := range Settings {
		change := "yes"
		if s.Immutable || s.Fixed {
			change = "no"
		}
		def := "(empty)"
		if s.Default != "" {
			def = "`" + s.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", s.Name, strings.ReplaceAll(s.describe(), "|", " "), def, change, strings.ReplaceAll(s.Help, "|", "\\|"))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// OpenLog opens logfile, where one is set, and makes the logger; close the file
// after the last use. Before it, Logger writes to standard error.
func (c *Config) OpenLog() (io.Closer, error) {
	path := c.logFile.String()
	if path == "" {
		return io.NopCloser(nil), nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("logfile: %w", err)
	}
	c.setLogOutput(f)
	return f, nil
}

// Logger is where the server reports to its operator.
func (c *Config) Logger() *slog.Logger {
	if l := c.logger.Load(); l != nil {
		return l
	}
	c.setLogOutput(os.Stderr)
	return c.logger.Load()
}

// SetLogger replaces the logger; loglevel does not act on it.
func (c *Config) SetLogger(l *slog.Logger) { c.logger.Store(l) }

func (c *Config) setLogOutput(w io.Writer) {
	c.logger.Store(slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: &c.level})))
}

func (c *Config) applyLogLevel() {
	switch c.logLevel.String() {
	case "debug", "verbose":
		c.level.Set(slog.LevelDebug)
	case "notice":
		c.level.Set(slog.LevelInfo)
	case "warning":
		c.level.Set(slog.LevelWarn)
	default:
		c.level.Set(slog.LevelError + 100)
	}
}
