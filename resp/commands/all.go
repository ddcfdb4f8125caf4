package commands

import "github.com/nearcache/nearcache/resp/command"

// All is the one list of command families: a row that is here exists for
// clients, COMMAND, locking, logging and fuzzing alike.
func All() [][]*command.Spec {
	return [][]*command.Spec{
		stringCommands,
		bitCommands,
		keyCommands,
		listCommands,
		setCommands,
		hashCommands,
		zsetCommands,
		streamCommands,
		geoCommands,
		hyperLogLogCommands,
		jsonCommands,
		vectorSetCommands,
		transactionCommands,
		scriptCommands,
		searchCommands,
		semanticCommands,
		suggestCommands,
		explainCommands,
		profileCommands,
		connectionCommands,
		clientCommands,
		trackingCommands,
		pubsubCommands,
		serverCommands,
		replicationCommands,
		commandCommands,
		debugCommands,
	}
}
