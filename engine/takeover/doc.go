// Package takeover is how one engine takes the place of another that runs, with the same state directory, and nobody
// notices: `dynapm engine -takeover`. It carries what the two tell each other, and knows nothing of what they do.
//
// The older engine offers itself on a socket in the state directory (Offer). The younger one comes (Meet) and gets the
// listening sockets. Until it asks to take over (Take) nothing has changed: if it cannot do with what it got it leaves,
// and the older engine goes on. Then the older one ends what only one engine may do (it accepts no more, its actors end, it
// closes the store and leaves the keeper) and says "yours". From there on the services are the younger engine's, which
// finds them as after any restart, and the older one only finishes the requests that it had begun. Each client follows as
// soon as it is between two requests, with what was read of the next one.
//
// The younger engine does not wait for ever. An older one that comes to its request late (it was halted, or could not write
// its log) therefore looks whether the connection stands before it ends anything: if the younger one has gone, it stays.
// From then on to "yours", some milliseconds later, and after it, a younger engine that dies leaves all as if an engine had
// been killed; the older one says so, and exits with an error if it can tell, so that its supervisor starts another.
//
// A packet (unix(7), SOCK_SEQPACKET) is one JSON object, with at most one descriptor beside it:
//
//	younger  hello    version; take
//	older    hello    version; refused, with the reason
//	older    listener address, admin and a descriptor, for each; ready, supervisor
//	older    client   the listener's index, the bytes read, a descriptor
//	older    shared   a service that it still serves requests on, and how many leases it has; yours
//	older    free     a service that it no longer does, or how many leases are left
//
// The end of the connection is the end of the one who closed it.
package takeover
