package actors

// isNeeded tells whether a service that depends on this one has a run.
func (t *tenant) isNeeded() bool { return t.neededBy() != "" }

func (t *tenant) neededBy() string {
	for _, by := range t.dependants {
		if by.v.system == t.room.system && by.v.legacy.last.Run != 0 && !t.room.isRestarting(by) {
			return by.name
		}
	}
	return ""
}

// mustHaveNeeds holds that what a service depends on is ready before its launch, and not put to sleep, or down by order,
// while there is a run of it.
func (t *tenant) mustHaveNeeds(rec Record, idle bool) {
	if rec.From == StateReady && rec.State != StateReady {
		t.leftReady = t.room.records
	}
	if rec.State == StateStarting && rec.From != StateStarting && rec.Run == 0 {
		t.asked = t.room.records
	}
	if rec.StartCount > t.starts {
		for _, of := range t.dependsOn {
			if of.v.legacy.last.State != StateReady && of.leftReady < t.asked {
				t.room.fail("%s is launched, and %s, which it depends on, was not ready", t.name, of.name)
			}
		}
	}
	t.starts = rec.StartCount
	if ordered := rec.From == StateReady && rec.State == StateDraining && !rec.Retiring; idle || ordered {
		if by := t.neededBy(); by != "" {
			t.room.fail("%s is stopped (%s) while %s, which depends on it, is there", t.name, rec.Reason, by)
		}
	}
}
