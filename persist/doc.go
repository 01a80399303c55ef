// Package persist keeps what must survive the engine: the last known state of
// each service, in one Pebble store in the state directory.
//
// All of it is a hint. The keeper and the system know which processes run; the
// store knows their history, and how to find again what nobody keeps. So the
// package never stands in the way: what is put is gathered in memory for a moment,
// one goroutine writes it in synced batches, and a disk that fails is reported
// while services are served as before.
//
// # What a crash leaves
//
// A crash is a killed process, or a power cut, which also takes what was never
// synced. Each batch is one Pebble batch: it is there as a whole or not at all.
// Each value carries a checksum and the sequence of its batch, and each batch
// has the head with it, an empty value that carries the last sequence.
//
// State (Put). What was gathered but not written is lost, at most what came in
// during the last 20 ms and one sync, and a service is known by the state before:
// an order that was answered in that time, such as to hold a service down, is lost
// with it. The batches that were written are there up to some point and none after it. Nothing tells the
// difference between a state that was not written and one that did not happen,
// so Open's caller asks the system about every process it reads of. To know that
// the store itself lost writes, say by a flipped bit in Pebble's log, which Pebble
// takes for the log's end, the sequence of the last batch is noted in a file of
// its own, last-sequence: where it is ahead of the head, Open warns by how much.
//
// Intent (PutSync). Once PutSync has returned nil the record survives both kinds
// of crash. Before that it may be there or not, and the caller has not acted on
// it: a start that is recorded may not have happened, a start that happened is
// recorded, unless PutSync failed.
//
// Last use (Used). At most the uses of the last second and of one sync are lost,
// and a service then sleeps early by as much. Each is a value beside the record,
// so that a lost use takes no state along. A time ahead of the clock, which was
// set back since, is read as now.
//
// Forget. A crash before the batch leaves the record: the next engine finds one
// of a service that its config does not name, and forgets it again. Where much is
// written at once the two values of a service may go in two batches, and a crash
// in between leaves the last use alone, which is read as a record with no state.
//
// Set aside. A store that will not open is renamed and the state directory
// synced before the new one is made. A crash before the rename leaves it in its
// place, to be found broken again; after it, there is no store, and one is made.
// What was read of it before the fault is in memory only until the first batch
// of the new store; after a crash in between it is in the old one still.
//
// Death. A session that meets a failed write ends there (see fence): for the disk
// it is a crash of Pebble alone, and the next session recovers as after one. What
// was gathered is still in memory, and is compared with what is found.
package persist
