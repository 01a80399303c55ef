package loadtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// writeFiles writes the report for machines, for a CI summary and for people.
func writeFiles(dir string, r *Report) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	page, err := html(r)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		data []byte
	}{
		{"report.json", append(data, '\n')},
		{"report.md", markdown(r)},
		{"report.html", page},
	} {
		if err := os.WriteFile(filepath.Join(dir, f.name), f.data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// markdown is the report for the summary of a CI run.
func markdown(r *Report) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "## dynapm loadtest %s\n\n`%s`\n\n", r.Scenario, strings.ReplaceAll(r.Command, "`", "'"))
	if r.Generator.Void || r.Interrupted {
		fmt.Fprintf(&out, "**%s%s**\n\n", strings.TrimPrefix(interrupted(r)+" ", ", "), generatorLine(r))
	}
	for _, s := range tablesOf(r) {
		fmt.Fprintf(&out, "### %s\n\n|", s.title)
		for _, h := range s.heads {
			fmt.Fprintf(&out, " %s |", strings.ToLower(h))
		}
		out.WriteString("\n|" + strings.Repeat("---|", len(s.heads)) + "\n")
		for _, row := range s.rows {
			out.WriteByte('|')
			for _, cell := range row {
				fmt.Fprintf(&out, " %s |", cellText(cell))
			}
			out.WriteByte('\n')
		}
		out.WriteByte('\n')
		for _, line := range s.foot {
			fmt.Fprintf(&out, "**%s**\n\n", cellText(line))
		}
	}
	fmt.Fprintf(&out, "%s, %.1f s, %s, %d cores, %s; %s.\n", r.Began.Format("2006-01-02 15:04 MST"), r.Seconds,
		r.Machine.CPU, r.Machine.Cores, r.Machine.Kernel, generatorLine(r))
	for _, n := range r.Notes {
		fmt.Fprintf(&out, "\n- %s", cellText(n))
	}
	return out.Bytes()
}

// cellText keeps a cell from ending before its time, and text from being taken for HTML.
func cellText(s string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "&", "&amp;", "<", "&lt;").Replace(s)
}
