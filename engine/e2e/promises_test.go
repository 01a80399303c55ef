package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// promises are the README's, word for word, each with the tests that hold it.
var promises = map[string][]func(*testing.T){
	"One start, however many requests come at once; they are held and answered by it (1024 of them, further ones are told to come again).": {
		TestFiftyFirstRequestsMakeOneStart, TestMoreThanCanBeHeld},
	"A service is never stopped while a request, a WebSocket or a stream of events uses it. The idle time counts from the end of the last request.": {
		TestStreamOfRequestsKeepsTheServiceUp, TestLongConnectionKeepsTheServiceUp, TestIdleStop, TestSoakRequestsRacingWithIdleStops},
	"A request that arrives while its service is being stopped is held, and served by the next run.": {
		TestRequestWhileStoppingIsServedByTheNextRun, TestStopLetsRequestsEnd},
	"A start that fails answers everyone who waits, at once when the process exits; `dynapm status` and the log say why, with the last lines the service printed. Clients learn nothing of what is inside.": {
		TestFailedStartAnswersAllThenBacksOff, TestStartsThatFail, TestDelegatedStartThatFails, TestStatus},
	"Services are children of the keeper, a process of its own: they outlive the engine, and none is left behind or started twice.": {
		TestSIGTERMLeavesServicesUp, TestInterruptLeavesNothingBehind, TestStopEndsEveryProcess},
	"An engine that is killed, its keeper with it or not, loses nothing but the missing seconds: the next one knows each service, finds its process again, goes on with its idle clock, and finishes what was half done ([one test](engine/e2e/killed_test.go) kills them in every state, [another](engine/e2e/underload_test.go) under load, and compares what `dynapm status` says).": {
		TestKilledEngine, TestKilledKeeper, TestKilledEngineAndKeeper, TestKilledUnderLoad, TestUpgrade,
		TestIdleClockGoesOnWhileTheEngineIsAway, TestAPortThatSomebodyElseHasNow},
	"An upgrade is not noticed: `dynapm engine -takeover` takes the place of the engine that runs, its listening sockets and its clients included. No connection is refused and no request fails; only WebSockets and requests longer than `drainTimeout` are cut. Until the engine before has finished its requests, the next upgrade is told to come again.": {
		TestTakeover, TestTakeoverCutsTunnels, TestTakeoverThatCannotBe, TestTakeoverAfterATakeover, TestTakeoverOfADrain},
	"Paths, headers and bodies go through as they are; uploads and downloads of any size in constant memory.": {
		TestPathsReachTheBackendUnchanged, TestRequestHeadersReachTheBackend, TestResponseReachesTheClientUnchanged, TestPOSTBodies,
		TestLargeBodiesWithBoundedMemory},
}

// TestEachPromiseHasATest: a promise that is made, changed or taken back in the README is so here as well.
func TestEachPromiseHasATest(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(readme), "\n## What it promises\n")
	section, _, ended := strings.Cut(section, "\n## ")
	if !found || !ended {
		t.Fatal("the README has no section \"What it promises\" before its last")
	}
	made := map[string]bool{}
	for _, promise := range strings.Split(section, "\n- ")[1:] {
		promise = strings.Join(strings.Fields(promise), " ")
		made[promise] = true
		if len(promises[promise]) == 0 {
			t.Errorf("the README promises, and no test says that it holds it: %s", promise)
		}
	}
	for promise := range promises {
		if !made[promise] {
			t.Errorf("held by tests, and the README does not promise it: %s", promise)
		}
	}
}
