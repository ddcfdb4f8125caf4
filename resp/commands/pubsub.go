package commands

import (
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/pubsub"
	"github.com/nearcache/nearcache/resp/session"
)

const (
	subscribeFlags   = command.DenyOOM | command.PubSub | command.NoScript | command.Loading | command.Stale | command.Keyless
	unsubscribeFlags = command.PubSub | command.NoScript | command.Loading | command.Stale | command.Keyless
	publishFlags     = command.PubSub | command.Loading | command.Stale | command.Fast | command.Keyless | command.MayReplicate
	pubsubFlags      = command.PubSub | command.Loading | command.Stale | command.Keyless
)

var pubsubCommands = []*command.Spec{
	{
		Name: "subscribe", Arity: -2, Flags: subscribeFlags,
		Group: command.GroupPubSub, Since: "2.0.0", Summary: "Listens for messages published to channels.",
		Args: []command.Arg{{Name: "channel", Type: "string", Multiple: true}},
		Bind: command.Bind((*args.Parser).Rest, subscribeTo(pubsub.Channel, "subscribe")),
	},
	{
		Name: "unsubscribe", Arity: -1, Flags: unsubscribeFlags,
		Group: command.GroupPubSub, Since: "2.0.0", Summary: "Stops listening to messages posted to channels.",
		Args: []command.Arg{{Name: "channel", Type: "string", Optional: true, Multiple: true}},
		Bind: command.Bind((*args.Parser).Rest, unsubscribeFrom(pubsub.Channel, "unsubscribe")),
	},
	{
		Name: "psubscribe", Arity: -2, Flags: subscribeFlags,
		Group: command.GroupPubSub, Since: "2.0.0", Summary: "Listens for messages published to channels that match one or more patterns.",
		Args: []command.Arg{{Name: "pattern", Type: "pattern", Multiple: true}},
		Bind: command.Bind((*args.Parser).Rest, subscribeTo(pubsub.Pattern, "psubscribe")),
	},
	{
		Name: "punsubscribe", Arity: -1, Flags: unsubscribeFlags,
		Group: command.GroupPubSub, Since: "2.0.0", Summary: "Stops listening to messages published to channels that match one or more patterns.",
		Args: []command.Arg{{Name: "pattern", Type: "pattern", Optional: true, Multiple: true}},
		Bind: command.Bind((*args.Parser).Rest, unsubscribeFrom(pubsub.Pattern, "punsubscribe")),
	},
	{
		Name: "ssubscribe", Arity: -2, Flags: subscribeFlags,
		Group: command.GroupPubSub, Since: "7.0.0", Summary: "Listens for messages published to shard channels.",
		Args: []command.Arg{{Name: "shardchannel", Type: "string", Multiple: true}},
		Bind: command.Bind((*args.Parser).Rest, subscribeTo(pubsub.Shard, "ssubscribe")),
	},
	{
		Name: "sunsubscribe", Arity: -1, Flags: unsubscribeFlags,
		Group: command.GroupPubSub, Since: "7.0.0", Summary: "Stops listening to messages posted to shard channels.",
		Args: []command.Arg{{Name: "shardchannel", Type: "string", Optional: true, Multiple: true}},
		Bind: command.Bind((*args.Parser).Rest, unsubscribeFrom(pubsub.Shard, "sunsubscribe")),
	},
	{
		Name: "publish", Arity: 3, Flags: publishFlags,
		Group: command.GroupPubSub, Since: "2.0.0", Summary: "Posts a message to a channel.",
		Args: []command.Arg{{Name: "channel", Type: "string"}, {Name: "message", Type: "string"}},
		Bind: command.Bind(parsePublish, publishTo(pubsub.Channel)),
	},
	{
		Name: "spublish", Arity: 3, Flags: publishFlags,
		Group: command.GroupPubSub, Since: "7.0.0", Summary: "Post a message to a shard channel",
		Args: []command.Arg{{Name: "shardchannel", Type: "string"}, {Name: "message", Type: "string"}},
		Bind: command.Bind(parsePublish, publishTo(pubsub.Shard)),
	},
	{
		Name: "pubsub", Arity: -2, Flags: command.Keyless,
		Group: command.GroupPubSub, Since: "2.8.0", Summary: "A container for Pub/Sub commands.",
		Sub: []*command.Spec{
			{
				Name: "channels", Arity: -2, Flags: pubsubFlags,
				Group: command.GroupPubSub, Since: "2.8.0", Summary: "Returns the active channels.",
				Args: []command.Arg{{Name: "pattern", Type: "pattern", Optional: true}},
				Bind: command.Bind((*args.Parser).Rest, listChannels(pubsub.Channel)),
			},
			{
				Name: "numsub", Arity: -2, Flags: pubsubFlags,
				Group: command.GroupPubSub, Since: "2.8.0", Summary: "Returns a count of subscribers to channels.",
				Args: []command.Arg{{Name: "channel", Type: "string", Optional: true, Multiple: true}},
				Bind: command.Bind((*args.Parser).Rest, countSubscribers(pubsub.Channel)),
			},
			{
				Name: "numpat", Arity: 2, Flags: pubsubFlags,
				Group: command.GroupPubSub, Since: "2.8.0", Summary: "Returns a count of unique pattern subscriptions.",
				Bind: command.Bind(command.None, runPubSubNumPat),
			},
			{
				Name: "shardchannels", Arity: -2, Flags: pubsubFlags,
				Group: command.GroupPubSub, Since: "7.0.0", Summary: "Returns the active shard channels.",
				Args: []command.Arg{{Name: "pattern", Type: "pattern", Optional: true}},
				Bind: command.Bind((*args.Parser).Rest, listChannels(pubsub.Shard)),
			},
			{
				Name: "shardnumsub", Arity: -2, Flags: pubsubFlags,
				Group: command.GroupPubSub, Since: "7.0.0", Summary: "Returns the count of subscribers of shard channels.",
				Args: []command.Arg{{Name: "shardchannel", Type: "string", Optional: true, Multiple: true}},
				Bind: command.Bind((*args.Parser).Rest, countSubscribers(pubsub.Shard)),
			},
			helpCommand(command.GroupPubSub, "6.2.0", "PUBSUB", []string{
				"CHANNELS [<pattern>]",
				"    Return the currently active channels matching a <pattern> (default: '*').",
				"NUMPAT",
				"    Return number of subscriptions to patterns.",
				"NUMSUB [<channel> ...]",
				"    Return the number of subscribers for the specified channels, excluding",
				"    pattern subscriptions(default: no channels).",
				"SHARDCHANNELS [<pattern>]",
				"    Return the currently active shard level channels matching a <pattern> (default: '*').",
				"SHARDNUMSUB [<shardchannel> ...]",
				"    Return the number of subscribers for the specified shard level channel(s)",
			}),
		},
	},
}

// confirm writes the reply to one subscription or its end. It is a push, which
// CLIENT REPLY does not hold back. A nil name is none.
func confirm(c *command.Ctx, word string, name []byte, count int) {
	w := c.W
	silent := c.S.Reply != session.ReplyOn
	if silent {
		w = &resp.Writer{}
		w.SetProto(c.W.Proto())
	}
	w.Push(3)
	w.BulkString(word)
	if name == nil {
		w.Null()
	} else {
		w.Bulk(name)
	}
	w.Int(int64(count))
	if silent {
		c.S.Push(w.Bytes())
	}
}

func subscribeTo(k pubsub.Kind, word string) func(*command.Ctx, [][]byte) error {
	return func(c *command.Ctx, names [][]byte) error {
		for _, name := range names {
			confirm(c, word, name, c.PubSub.Subscribe(c.S, k, string(name)))
		}
		return nil
	}
}

func unsubscribeFrom(k pubsub.Kind, word string) func(*command.Ctx, [][]byte) error {
	return func(c *command.Ctx, names [][]byte) error {
		if len(names) == 0 {
			for _, name := range c.PubSub.Names(c.S, k) {
				names = append(names, []byte(name))
			}
		}
		if len(names) == 0 {
			n := int(c.S.SSubs.Load())
			if k != pubsub.Shard {
				n = int(c.S.Subs.Load() + c.S.PSubs.Load())
			}
			confirm(c, word, nil, n)
			return nil
		}
		for _, name := range names {
			n := c.PubSub.Unsubscribe(c.S, k, string(name))
			if !c.InExec {
				c.S.MergePushes() // no message follows its channel's end
			}
			confirm(c, word, name, n)
		}
		return nil
	}
}

type publication struct{ channel, message []byte }

func parsePublish(a *args.Parser) publication { return publication{a.Bytes(), a.Bytes()} }

func publishTo(k pubsub.Kind) func(*command.Ctx, publication) error {
	return func(c *command.Ctx, p publication) error {
		c.Server.TellReplicas(c.Args)
		c.W.Int(int64(c.PubSub.Publish(k, string(p.channel), p.message)))
		return nil
	}
}

func listChannels(k pubsub.Kind) func(*command.Ctx, [][]byte) error {
	return func(c *command.Ctx, patterns [][]byte) error {
		if len(patterns) > 1 {
			return badSubcommand(c)
		}
		pattern := "*"
		if len(patterns) > 0 {
			pattern = string(patterns[0])
		}
		l := c.PubSub.Channels(k, pattern)
		c.W.Array(len(l))
		for _, name := range l {
			c.W.BulkString(name)
		}
		return nil
	}
}

func countSubscribers(k pubsub.Kind) func(*command.Ctx, [][]byte) error {
	return func(c *command.Ctx, names [][]byte) error {
		c.W.Array(2 * len(names))
		for _, name := range names {
			c.W.Bulk(name)
			c.W.Int(int64(c.PubSub.Subscribers(k, string(name))))
		}
		return nil
	}
}

func runPubSubNumPat(c *command.Ctx, _ struct{}) error {
	c.W.Int(int64(c.PubSub.Len(pubsub.Pattern)))
	return nil
}
