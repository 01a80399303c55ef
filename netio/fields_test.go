package netio

import "testing"

// TestAdmissionSeesTheFields: the head is there for the call that routes it, whatever the parser takes it apart into.
func TestAdmissionSeesTheFields(t *testing.T) {
	seen := make(chan [3]string, 1)
	r := newRig(t, echo(t), func(o *Options) {
		o.Admission.(*gates).looked = func(f Fields) {
			seen <- [3]string{string(f.Value("user-agent")), string(f.Value("host")), string(f.Value("absent"))}
			if n := testing.AllocsPerRun(10, func() { f.Value("user-agent") }); n != 0 && !invariants {
				t.Errorf("a look allocates %v times", n)
			}
		}
	})
	c := r.dial()
	c.send("GET / HTTP/1.1\r\nHost: a\r\nuser-AGENT:  a bot \r\nUser-Agent: another\r\n\r\n")
	c.reply("GET")
	if got := <-seen; got != [3]string{"a bot", "a", ""} {
		t.Errorf("it saw %q", got)
	}
}
