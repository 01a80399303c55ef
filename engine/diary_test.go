package engine

import (
	"fmt"
	"testing"
	"time"

	"dynapm/actors"
)

func TestDiaryKeepsTheLast(t *testing.T) {
	var d diary
	if d.read() == nil {
		t.Error("an empty diary would be null in JSON")
	}
	for i := range 3 * diaryLength {
		d.note(actors.Record{State: actors.StateFailed, Reason: fmt.Sprintf("reason %d; its last output:\n  one\n  two", i)})
		d.note(actors.Record{State: actors.StateFailed, Aside: true})
	}
	last := d.read()
	if len(last) != diaryLength || last[0].Reason != "reason 100" || last[diaryLength-1].Reason != "reason 149" || last[0].Output != "one\ntwo" {
		t.Errorf("%d are kept, from %+v to %+v", len(last), last[0], last[len(last)-1])
	}
}

// TestDiaryDatesBack: a failure of an earlier engine is told when this one comes up, and was when it was.
func TestDiaryDatesBack(t *testing.T) {
	var d diary
	up, since := time.UnixMilli(9000), time.UnixMilli(5000)
	d.note(actors.Record{At: up, State: actors.StateFailed, Reason: "exit status 3", Since: up})
	d.note(actors.Record{At: up, State: actors.StateFailed, Since: since, Aside: true})
	d.note(actors.Record{At: up, State: actors.StateStarting, Since: up})
	d.note(actors.Record{At: up, State: actors.StateStarting, Since: since, Aside: true})
	if last := d.read(); last[0].At != 5000 || last[1].At != 9000 {
		t.Errorf("got %+v", last)
	}
}
