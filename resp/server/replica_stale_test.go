package server

import (
	"strings"
	"testing"

	"github.com/nearcache/nearcache/resp/client"
)

// TestReplicaWithoutItsMaster does not answer where it is told so, but for commands that say nothing of keys; as a Redis 8.10 does.
func TestReplicaWithoutItsMaster(t *testing.T) {
	t.Parallel()
	s, _ := startAt(t, nil, nil, "--dir", t.TempDir(), "--replicaof", "127.0.0.1 1", "--replica-serve-stale-data", "no", "--replica-priority", "7")
	c := dial(t, s, client.Options{})
	const down = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
	const stale = "ERR Can not execute the command on a stale replica"
	ask := func(want string, args ...any) {
		t.Helper()
		v, err := c.Do(args...)
		got := v.String()
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%q: %s, want %s", args, got, want)
		}
	}
	ask(down, "GET", "a")
	ask(down, "PING")
	ask("READONLY", "SET", "a", "b")
	ask(`%["replica-priority" "7"]`, "CONFIG", "GET", "replica-priority")
	if got := field(t, c, "replication", "slave_priority"); got != "7" {
		t.Errorf("slave_priority is %s", got)
	}
	ask(down, "EVAL", "return 1", 0)
	ask(down, "EVAL", "#!lua flags=no-writes\nreturn 1", 0)
	ask(stale, "EVAL", "#!lua flags=no-writes,allow-stale\nreturn redis.call('get', 'a')", 0)
	ask(`"x"`, "EVAL", "#!lua flags=no-writes,allow-stale\nreturn redis.call('echo', 'x')", 0)
	ask("OK", "MULTI")
	ask(down, "GET", "a")
	ask("EXECABORT", "EXEC")
	ask("OK", "MULTI")
	ask("QUEUED", "TIME")
	do(t, c, "EXEC")
	do(t, c, "CONFIG", "SET", "replica-serve-stale-data", "yes")
	ask("(nil)", "GET", "a")
	ask("OK", "MULTI") // what was queued before is not run after
	ask("QUEUED", "GET", "a")
	do(t, dial(t, s, client.Options{}), "CONFIG", "SET", "replica-serve-stale-data", "no")
	ask("EXECABORT Transaction discarded because of: "+down, "EXEC")
}

// TestExecIsRefusedAsWhatItRuns: what was queued while it was allowed is asked about again, as a Redis 8.10 does.
func TestExecIsRefusedAsWhatItRuns(t *testing.T) {
	t.Parallel()
	s, _ := startAt(t, nil, nil, "--dir", t.TempDir(), "--enable-outgoing-connections", "yes")
	c, other := dial(t, s, client.Options{}), dial(t, s, client.Options{})
	exec := func(want string, between func(), queued ...any) {
		t.Helper()
		do(t, c, "MULTI")
		do(t, c, queued...)
		between()
		v, err := c.Do("EXEC")
		got := v.String()
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%q: %s, want %s", queued, got, want)
		}
	}
	const discarded = "EXECABORT Transaction discarded because of: "
	exec(`*["x"]`, func() { do(t, other, "CONFIG", "SET", "min-replicas-to-write", 1) }, "ECHO", "x")
	do(t, other, "CONFIG", "SET", "min-replicas-to-write", 0)
	exec(discarded+"NOREPLICAS", func() { do(t, other, "CONFIG", "SET", "min-replicas-to-write", 1) }, "SET", "a", 1)
	do(t, other, "CONFIG", "SET", "min-replicas-to-write", 0)
	exec(discarded+"LOADING", s.loading.begin, "GET", "a")
	s.loading.end()
	exec(`*["x"]`, s.loading.begin, "ECHO", "x")
	s.loading.end()
	toReplica := func() { do(t, other, "REPLICAOF", "127.0.0.1", 1) }
	exec(discarded+"READONLY", toReplica, "SET", "a", 1)
	do(t, other, "REPLICAOF", "NO", "ONE")
	exec("*[(nil)]", toReplica, "GET", "a")
}
