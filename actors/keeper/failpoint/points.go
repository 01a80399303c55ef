// Package failpoint names the steps between which a test ends the engine or the
// keeper.
//
// Only a binary built with -tags failpoint can be ended so (armed.go). In any
// other, Reached and Did are empty, are inlined, and leave nothing behind
// (unarmed.go).
package failpoint

// Points are the steps, in the order in which an engine and its keeper come to
// them. Each is the argument of Reached at one place, or the name of an effect
// of the machine.
var Points = []string{
	// An engine comes up.
	"engine.opened",    // its sockets listen
	"client.forked",    // a keeper was started, and has not said that it is ready
	"client.started",   // it has said so
	"client.connected", // hellos were exchanged
	"client.adopted",   // it was told what the one before it kept
	"engine.kept",      // the keeper is there
	"engine.recalled",  // the store is open
	"engine.adopted",   // what is on record was handed to the keeper
	"engine.found",     // what the keeper keeps is known
	"engine.spawned",   // each service has its actor
	"engine.serving",   // and may be asked for

	// A keeper comes up.
	"keeper.locked",
	"keeper.listening",
	"keeper.adopting", // what is to be adopted was found
	"keeper.adopted",  // one of it is kept
	"keeper.ready",    // and nobody was told yet
	"keeper.greeted",  // an engine has said hello
	"keeper.claimed",  // and has the keeper

	// The actor of a service has done what the machine wanted (actors.Effect).
	"actors.record",
	"actors.launch",
	"actors.verify",
	"actors.probe",
	"actors.arm",
	"actors.open",
	"actors.grant",
	"actors.refuse",
	"actors.shut",
	"actors.close",
	"actors.term",
	"actors.kill",
	"actors.end",
	"engine.told", // a record is in the log, and not in the store

	// A run begins.
	"run.free",        // nobody holds its address
	"engine.intended", // its intent is durable
	"client.asked",    // the keeper was sent a request
	"keeper.asked",    // for a launch
	"keeper.prepared", // all that the command needs is open
	"keeper.forked",   // there is a child, and nobody knows
	"keeper.becoming", // it is kept, and not the command yet
	"keeper.launched", // it is, and the engine was not told
	"run.launched",    // the engine knows, and the actor does not
	"keeper.spoke",    // the service has said that it is ready
	"run.passed",      // its check has passed, and the actor does not know
	"run.returned",    // its start command has

	// A run ends.
	"run.signalled",
	"keeper.signalled", // its process group was
	"run.unstarted",    // its stop command has returned
	"run.down",         // nothing is seen of it any more
	"keeper.exited",    // its process is a zombie
	"keeper.reaped",    // and was taken away
	"keeper.swept",     // nothing of it is left
	"keeper.recorded",  // its exit is, and the engine was not told
	"client.told",      // the engine was, and the actor was not
	"client.delivered", // the actor was, and the keeper was not
	"keeper.forgot",    // it was
	"run.over",         // the actor was not told of the end of the run

	// An engine leaves.
	"engine.drained",    // no request is left
	"engine.down",       // no service is left, where it takes them along
	"engine.dumb",       // no actor is left
	"engine.remembered", // the store is closed
	"engine.parted",     // so is the connection with the keeper
	"keeper.leaving",    // it was sent away
	"engine.yielded",    // its clients are another engine's
	"engine.given",      // so is its place
	"engine.taken",      // it was taken
}
