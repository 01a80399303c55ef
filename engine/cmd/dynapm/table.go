package main

import (
	"bytes"
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
	var table bytes.Buffer
	t := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tSTATE\tFOR\tPID\tACTIVE\tLAST USE\tROUTES")
	for _, s := range services {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Name, stateOf(s), ago(s.Since, now), orDash(s.Pid), active(s),
			used(s.LastAccessTime, now), strings.Join(s.Routes, " "))
	}
	t.Flush()
	row := -1 // the heading
	for line := range strings.Lines(table.String()) {
		io.WriteString(w, line)
		// On a line of its own, as it is too long for a column.
		if row >= 0 && (services[row].State == "failed" || services[row].ProxyOnly) && services[row].Reason != "" {
			fmt.Fprintln(w, "  "+gist(services[row].Reason))
		}
		row++
	}
}

// gist is what fits on a line of a reason: its first line, and the last of those that it announces with a colon, which
// is where a program says what it died of.
func gist(reason string) string {
	const most = 96
	lines := strings.Split(strings.TrimSpace(reason), "\n")
	text := lines[0]
	if last := len(lines) - 1; last > 0 && strings.HasSuffix(text, ":") {
		text += " " + strings.TrimSpace(lines[last])
	}
	if r := []rune(text); len(r) > most {
		return string(r[:most-3]) + "..."
	}
	return text
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
	line("reason", strings.ReplaceAll(d.Reason, "\n", "\n\t"))
	if !d.ProxyOnly {
		line("pid", orDash(d.Pid))
	}
	if o := d.Ownership; o != nil {
		line("owned by", strings.TrimSpace(o.Level+" "+o.Cgroup))
		line("limits", o.Unmet)
	}
	line("base", d.Base)
	line("routes", strings.Join(d.Routes, " "))
	line("active", active(d.Service))
	line("last use", used(d.LastAccessTime, now))
	if !d.ProxyOnly {
		if d.MaxConcurrent > 0 {
			line("at one time", fmt.Sprint(d.MaxConcurrent))
		}
		line("kept up", strings.Join(d.KeptUp, ", "))
		line("depends on", strings.Join(d.DependsOn, ", "))
		if d.IdleTimeout > 0 {
			line("sleeps after", short(millis(d.IdleTimeout))+" without a request")
		}
		line("health check", strings.TrimSpace(d.HealthCheck.Type+" "+d.HealthCheck.URL+d.HealthCheck.Command))
		line("starts", fmt.Sprint(d.StartCount))
	}
	line("up in all", short(round(millis(d.Uptime))))
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
	}{{"launched", s.Launched}, {"listening", s.Listening}, {"ready", s.Ready}, {"connected", s.Connected}, {"first byte", s.FirstByte}} {
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

// active is the number of requests in flight.
func active(s admin.Service) string {
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
	return short(round(now.Sub(time.UnixMilli(at))))
}

func millis(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

// short writes a duration without the zeros at its end: 1h30m for 1h30m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

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
