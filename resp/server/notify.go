package server

import (
	"errors"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/nearcache/nearcache/resp/pubsub"
	"github.com/nearcache/nearcache/store"
)

// Notifier publishes changes as keyspace notifications: an observer of the
// keyspace that notify-keyspace-events switches on. It runs under shard locks;
// publishing only queues.
type Notifier struct {
	broker *pubsub.Broker
	flags  atomic.Uint32
}

// notifyLetters are the letters of notify-keyspace-events in the order in which
// Redis prints them. The first notifyInA are what A stands for.
const (
	notifyLetters = "g$lshzxetdanocKEmSTIV"
	notifyInA     = 11
	notifyA       = 1<<notifyInA - 1
)

func notifyBit(letter byte) uint32 {
	if i := strings.IndexByte(notifyLetters, letter); i >= 0 {
		return 1 << i
	}
	return 0
}

func notifyFlags(text string) (uint32, bool) {
	var f uint32
	for i := range len(text) {
		if text[i] == 'A' {
			f |= notifyA
			continue
		}
		b := notifyBit(text[i])
		if b == 0 {
			return 0, false
		}
		f |= b
	}
	return f, true
}

func parseNotify(words []string, _ string) (int64, string, error) {
	if len(words) != 1 {
		return 0, "", errors.New("wrong number of arguments")
	}
	f, ok := notifyFlags(words[0])
	if !ok {
		//lint:ignore ST1005 Redis' text
		return 0, "", errors.New("Invalid event class character. Use 'Ag$lshzxeKEtmdnocaSTIV'.")
	}
	flags := int64(f)
	var b []byte
	if f&notifyA == notifyA {
		b = append(b, 'A')
		f &^= notifyA | notifyBit('n') | notifyBit('o') | notifyBit('c')
	}
	for i := range len(notifyLetters) {
		if f&(1<<i) != 0 {
			b = append(b, notifyLetters[i])
		}
	}
	return flags, string(b), nil
}

// Committed implements store.Observer.
func (n *Notifier) Committed(c *store.Commit) {
	f := n.flags.Load()
	if f&(notifyBit('K')|notifyBit('E')) == 0 {
		return
	}
	for i := range c.Events {
		e := &c.Events[i]
		if e.Flush || e.Name == "" || f&notifyBit(byte(e.Class)) == 0 {
			continue
		}
		db := strconv.Itoa(e.DB)
		if f&notifyBit('K') != 0 {
			n.broker.Publish(pubsub.Channel, "__keyspace@"+db+"__:"+e.Key, []byte(e.Name))
		}
		if f&notifyBit('E') != 0 {
			n.broker.Publish(pubsub.Channel, "__keyevent@"+db+"__:"+e.Name, []byte(e.Key))
		}
	}
}
