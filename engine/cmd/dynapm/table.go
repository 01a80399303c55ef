package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"dynapm/engine/admin"
)

func printJSON(v any) error {
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	return out.Encode(v)
}

func printTable(w io.Writer, services []admin.Service, now time.Time) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tSTATE\tFOR\tPID\tREQUESTS\tLAST USE\tROUTES")
	for _, s := range services {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Name, stateOf(s), ago(s.Since, now), orDash(s.Pid), requests(s),
			used(s.LastAccessTime, now), strings.Join(s.Routes, " "))
	}
	t.Flush()
}

func printDetail(w io.Writer, d admin.Detail, now time.Time) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, value)
		}
	}
	line("name", d.Name)
	line("state", stateOf(d.Service)+" for "+ago(d.Since, now))
	line("reason", d.Reason)
	line("pid", orDash(d.Pid))
	line("base", d.Base)
	line("routes", strings.Join(d.Routes, " "))
	line("requests", requests(d.Service))
	line("last use", used(d.LastAccessTime, now))
	if d.IdleTimeout > 0 {
		line("sleeps after", millis(d.IdleTimeout).String()+" without a request")
	}
	line("health check", strings.TrimSpace(d.HealthCheck.Type+" "+d.HealthCheck.URL+d.HealthCheck.Command))
	line("starts", fmt.Sprint(d.StartCount))
	line("up in all", round(millis(d.Uptime)).String())
	line("last start", startOf(d.LastStart))
	t.Flush()
}

// startOf says when after it was asked for a start reached each of its steps.
func startOf(s *admin.Start) string {
	if s == nil {
		return ""
	}
	var steps []string
	for _, step := range []struct {
		name string
		at   *float64
	}{{"launched", s.Launched}, {"listening", s.Listening}, {"ready", s.Ready}} {
		if step.at != nil {
			steps = append(steps, fmt.Sprintf("%s after %.1f ms", step.name, *step.at))
		}
	}
	return strings.Join(steps, ", ")
}

func stateOf(s admin.Service) string {
	switch {
	case s.ProxyOnly:
		return "proxy only"
	case s.Held:
		return s.State + ", held"
	}
	return s.State
}

func requests(s admin.Service) string {
	if s.Waiting > 0 {
		return fmt.Sprintf("%d + %d waiting", s.ActiveConnections, s.Waiting)
	}
	return fmt.Sprint(s.ActiveConnections)
}

func orDash(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

func used(at int64, now time.Time) string {
	if at == 0 {
		return "never"
	}
	return ago(at, now) + " ago"
}

func ago(at int64, now time.Time) string {
	if at == 0 {
		return "-"
	}
	return round(now.Sub(time.UnixMilli(at))).String()
}

func millis(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

// round keeps what a person reads: milliseconds below a second, seconds above.
func round(d time.Duration) time.Duration {
	switch {
	case d < 0:
		return 0
	case d < time.Second:
		return d.Round(time.Millisecond)
	}
	return d.Round(time.Second)
}
