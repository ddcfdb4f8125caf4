package server

import (
	"errors"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/nearcache/nearcache/resp/pubsub"
	"github.com/nearcache/nearcache/store"
)

// Notifier publishes what happens to keys as keyspace notifications, as
// notify-keyspace-events asks for it. It runs under shard locks; publishing only
// queues.
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

// The letters of channels: of keys, and of fields of hashes.
var (
	keyChannels   = notifyBit('K') | notifyBit('E')
	fieldChannels = notifyBit('S') | notifyBit('T') | notifyBit('I') | notifyBit('V')
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

// set applies the value of notify-keyspace-events, and has the keyspace note what
// it asks for.
func (n *Notifier) set(flags uint32, ks *store.Keyspace) {
	n.flags.Store(flags)
	var w store.Wanted
	if flags&(keyChannels|fieldChannels) != 0 {
		w = store.WantEvents
		for _, x := range []struct {
			class  store.Class
			wanted store.Wanted
		}{
			{store.ClassMiss, store.WantMisses},
			{store.ClassNew, store.WantNew},
			{store.ClassOver, store.WantOverwritten},
			{store.ClassRetyped, store.WantRetyped},
		} {
			if flags&notifyBit(byte(x.class)) != 0 {
				w |= x.wanted
			}
		}
	}
	if flags&fieldChannels != 0 {
		w |= store.WantFields
	}
	ks.SetNotices(w)
}

// Noticed implements store.Noticer.
func (n *Notifier) Noticed(c *store.Commit) {
	f := n.flags.Load()
	if f&(keyChannels|fieldChannels) == 0 || !n.broker.Listening() {
		return
	}
	notices := c.Notices
	for i := 0; ; i++ {
		for len(notices) > 0 && (notices[0].At <= i || i >= len(c.Events)) {
			x := &notices[0]
			n.tell(f, x.Class, x.DB, x.Key, x.Name, nil)
			notices = notices[1:]
		}
		if i >= len(c.Events) {
			return
		}
		if e := &c.Events[i]; !e.Flush && e.Name != "" {
			n.tell(f, e.Class, e.DB, e.Key, e.Name, e.Fields)
		}
	}
}

// tell publishes an event on the channels that f asks for. Those of fields are
// of Redis 8.8: a list of fields is written as 1:f,5:other, so that a field may
// hold anything.
func (n *Notifier) tell(f uint32, class store.Class, db int, key, name string, fields [][]byte) {
	if f&notifyBit(byte(class)) == 0 {
		return
	}
	at := "@" + strconv.Itoa(db) + "__:"
	publish := func(letter byte, channel string, message []byte) {
		if f&notifyBit(letter) != 0 {
			n.broker.Publish(pubsub.Channel, channel, message)
		}
	}
	publish('K', "__keyspace"+at+key, []byte(name))
	publish('E', "__keyevent"+at+name, []byte(key))
	if len(fields) == 0 || f&fieldChannels == 0 {
		return
	}
	var list []byte
	for i, x := range fields {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(append(strconv.AppendInt(list, int64(len(x)), 10), ':'), x...)
	}
	publish('S', "__subkeyspace"+at+key, append([]byte(name+"|"), list...))
	publish('T', "__subkeyevent"+at+name, append([]byte(strconv.Itoa(len(key))+":"+key+"|"), list...))
	if !strings.Contains(key, "\n") { // it ends the key in the channel's name
		for _, x := range fields {
			publish('I', "__subkeyspaceitem"+at+key+"\n"+string(x), []byte(name))
		}
	}
	publish('V', "__subkeyspaceevent"+at+name+"|"+key, list)
}
