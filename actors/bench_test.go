package actors

import (
	"context"
	"log/slog"
	"testing"
	"time"
)

// BenchmarkMachineStep leads a service from asleep to awake and back, and says what one step of that takes.
func BenchmarkMachineStep(b *testing.B) {
	m := NewMachine(testLimits, Memory{})
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	steps := 0
	step := func(e Event) { m.Step(e); steps++ }
	fact := func() Fact { return Fact{m.run, now} }
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Hour)
		step(Acquire{somebody("client"), now})
		step(TurnCame{fact(), ""})
		step(Launched{fact(), 100})
		step(ProbePassed{fact(), "127.0.0.1:80", now})
		if m.state != StateReady {
			b.Fatalf("it is %v, not ready", m.state)
		}
		step(Stop{somebody("operator"), false, now})
		step(Drained{fact()})
		step(Exited{fact(), "exit status 0"})
		if m.state != StateStopped {
			b.Fatalf("it is %v, not stopped", m.state)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(steps), "ns/step")
}

// BenchmarkMailboxHop has the supervisor told something and waits for its answer: a goroutine to an actor and back.
func BenchmarkMailboxHop(b *testing.B) {
	s := NewSystem(Options{Log: slog.New(slog.DiscardHandler)})
	b.Cleanup(func() { s.Close(context.Background()) })
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Ping(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
