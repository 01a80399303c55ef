// Package config reads a config file into a Config, or says everything that is wrong with it.
//
// # From text to Config
//
//	text ──front──> tree ──schema──> drafts ──checks──> Config
//
// A front (yaml.go, json.go) knows a notation and nothing of DynaPM: it makes one tree (tree.go) of nodes, each with
// its place. The schema (schema_global.go, schema_service.go) is tables with a row per key: its name, how it is read,
// its default, what it is for. One walk over the tree decodes each value by its row and gathers every fault on the
// way. What needs several keys at once (service.go), or several services (checks.go, listeners.go), is looked at
// after that. Nothing is clamped, guessed or dropped: a config either means exactly what it says or is refused.
//
// # To add a key
//
// Add the field to the struct in config.go and a row to the table; if it is a new sort of value, add its reader to
// readers.go and, to values.go, the pure function that tells what a text means. Add the key to examples/full.yaml (a
// test fails until it is there, with its default and the row's doc).
//
// # To add a format
//
// Write a front and name its endings in fronts (load.go). Variables and double keys are the builder's; places and
// bounds (maxDepth, maxNodes) are the front's. A front for a language that has its own variables makes its text
// nodes without builder.scalar.
//
// # Variables
//
// In YAML and JSON, every text value may hold ${NAME}, or ${NAME:-default} for a NAME that is unset or empty; keys
// may not, nor may a default hold a } or another variable. A variable that is unset and has no default is a fault. It is replaced before anything else looks at the
// value, also in run and commands, so that a list (run: [node, "${APP}"]) has it too, which no shell sees; what the
// shell shall expand is written $NAME or $${NAME}. $${ stands for ${ everywhere; other dollars are left alone. A text
// that had a variable replaced may stand for a number or true/false (port: ${PORT}). What is replaced is never read
// as YAML or JSON. ${DYNAPM} is this program where the environment says nothing else.
//
// # Which requests a service gets
//
//   - host: requests to that host on the main listener; with path, only those below it.
//   - path without host: requests to paths below it, on the main listener, whatever their host.
//   - port: every request to that port, whatever its host and path; a listener beside the main one.
//   - routes: each entry adds a host, a path or a port in the same sense, with a target of its own if it has one.
//   - no host, path or routes: the key is the host; a key that is one word also answers <key>.localhost.
//   - default: true: besides, what no other service takes on the main listener.
//
// So a key is only a name as soon as host, path or routes is given.
package config
