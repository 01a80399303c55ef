package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"dynapm/engine/admin"
)

func runWhy(args []string) error {
	r := newRemote("why")
	asJSON := r.flags.Bool("json", false, "print JSON, as the admin API gives it")
	if err := r.connect(args, 1, 1); err != nil {
		return err
	}
	ctx, cancel := interruptible()
	defer cancel()
	why, err := r.client.Why(ctx, r.names[0])
	if err != nil {
		return r.explain(err)
	}
	if *asJSON {
		return printJSON(why)
	}
	printWhy(os.Stdout, why, time.Now())
	return nil
}

// printWhy says how a service is and what follows from that, then how it came to it.
func printWhy(w io.Writer, why admin.Why, now time.Time) {
	if why.ProxyOnly {
		fmt.Fprintf(w, "%s is only proxied: nothing is decided about it, as the engine neither starts nor stops it\n", why.Name)
		return
	}
	fmt.Fprintf(w, "%s is %s", why.Name, stateOf(why.Service))
	if why.Since != 0 {
		fmt.Fprintf(w, ", for %s", ago(why.Since, now))
	}
	if why.Reason != "" {
		fmt.Fprintf(w, ": %s", indent(why.Reason))
	}
	fmt.Fprintf(w, "\n%s\n", whatFollows(why, now))
	printDecisions(w, why, now)
	printStarts(w, why, now)
}

// whatFollows is what its state means for the next request.
func whatFollows(why admin.Why, now time.Time) string {
	switch {
	case why.Held:
		return "requests are refused until: dynapm start " + why.Name
	case why.State == "stopped":
		return "the next request starts it"
	case why.State == "failed" && why.RetryAt > now.UnixMilli():
		return fmt.Sprintf("requests are refused for %s, then the next one tries again; see: dynapm logs %s",
			short(round(time.UnixMilli(why.RetryAt).Sub(now))), why.Name)
	case why.State == "failed":
		return "the next request tries again; see: dynapm logs " + why.Name
	case why.State == "ready" && why.ActiveConnections > 0:
		return "requests in flight keep it up: " + active(why.Service)
	case why.State == "ready" && len(why.KeptUp) > 0:
		return "it is kept up: " + strings.Join(why.KeptUp, ", ")
	case why.State == "ready" && why.IdleTimeout > 0:
		return "it sleeps when nobody has used it for " + short(millis(why.IdleTimeout)) + "; last use: " + used(why.LastAccessTime, now)
	case why.State == "ready":
		return "it never sleeps"
	}
	return "requests wait until it is ready"
}

func printDecisions(w io.Writer, why admin.Why, now time.Time) {
	fmt.Fprint(w, "\nwhat was decided, the latest last:\n")
	if len(why.Decisions) == 0 {
		fmt.Fprintf(w, "  nothing since the engine came up %s ago\n", ago(why.EngineSince, now))
		return
	}
	if len(why.Starts) > 0 && why.Starts[0].At < why.EngineSince {
		fmt.Fprintf(w, "  (by the engine that came up %s ago; of earlier ones, only the starts are known)\n", ago(why.EngineSince, now))
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer t.Flush()
	for _, d := range why.Decisions {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", clockTime(d.At, now), runOf(d.Run), d.State, indent(d.Reason))
		for line := range strings.Lines(d.Output) {
			fmt.Fprintf(t, "  \t\t\t  | %s\n", strings.TrimSuffix(line, "\n"))
		}
	}
}

func printStarts(w io.Writer, why admin.Why, now time.Time) {
	if len(why.Starts) == 0 {
		return
	}
	fmt.Fprint(w, "\nits last starts, timed from the request or order that began each:\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer t.Flush()
	for _, s := range why.Starts {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", clockTime(s.At, now), runOf(s.Run), s.Outcome, startOf(&s))
	}
}

func runOf(run uint64) string {
	if run == 0 {
		return ""
	}
	return fmt.Sprintf("run %d", run)
}

// clockTime is a time of day, with the day if that is not today's.
func clockTime(at int64, now time.Time) string {
	t := time.UnixMilli(at).In(now.Location())
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04:05.000")
	}
	return t.Format("2006-01-02 15:04:05.000")
}

// indent keeps the lines of a reason together.
func indent(reason string) string { return strings.ReplaceAll(strings.TrimSpace(reason), "\n", "\n  ") }
