package main

import (
	"fmt"
)

// publishedFigure is one that DynaPM publishes of itself, and where ours is to be found in a report. Nothing is said of
// what a report does not have.
type publishedFigure struct {
	what, theirs string
	command      string // that measures ours alone
	of           func(r *Report, kind string) string
}

var published = []publishedFigure{
	{"cold-start overhead", "25 ms (8 start + 17 port wait)", "-scenario cold -only dynapm,direct", coldOverhead},
	{"total cold start, node app", "42-500 ms", "-scenario cold -only dynapm,direct", coldTotal},
	{"proxy latency", "1-2 ms in logs, 9.3 ms in its benchmark", "-scenario small -only dynapm,direct", proxyLatency},
	{"throughput", "4,225-8,383 req/s", "-scenario small -only dynapm,direct", throughput},
	{"memory", "~50 MB", "-scenario memory -only dynapm", residentAlone},
}

// publishedTable has what DynaPM publishes, what it was found to do here if it was there, and ours.
func publishedTable(r *Report) [][]string {
	rows := [][]string{{"DynaPM's published figure", "theirs", "ours", "how ours was made: go run ./bench ..."}}
	node := r.Versions[nodeName] != ""
	if node {
		rows[0] = []string{rows[0][0], rows[0][1], "theirs, in this run", rows[0][2], rows[0][3]}
	}
	for _, f := range published {
		cells := []string{f.what, f.theirs, orMissing(f.of(r, kindOurs)), "`" + f.command + "`"}
		if node {
			cells = []string{cells[0], cells[1], orMissing(f.of(r, kindNode)), cells[2], cells[3]}
		}
		rows = append(rows, cells)
	}
	return rows
}

// besideNode says what the table can be read for.
func besideNode(r *Report) string {
	if r.Versions[nodeName] == "" {
		return "Theirs are from its README, made on another machine: " + nodeName + " was not measured in this run."
	}
	return "Theirs are from its README, made on another machine; those of this run are of " + nodeName + " " +
		r.Versions[nodeName] + ".\nIt sends the backend neither Host nor X-Forwarded-*, and is judged by nobody."
}

func orMissing(text string) string {
	if text == "" {
		return "not measured, or with errors"
	}
	return text
}

// seriesOf finds the contender of a kind in a case of a report.
func (r *Report) seriesOf(scenario, name, kind string) (Series, bool) {
	if s := r.scenario(scenario); s != nil {
		for _, c := range s.Cases {
			if c.Name == name {
				return c.find(p50, false, kind)
			}
		}
	}
	return Series{}, false
}

func coldOverhead(r *Report, kind string) string {
	s, ok := r.seriesOf("cold", coldQuick.name, kind)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%.2f ms beyond the same command started directly (p50)", s.middle(over50Ms))
}

func coldTotal(r *Report, kind string) string {
	s, ok := r.seriesOf("cold", coldNode, kind)
	if !ok {
		return ""
	}
	text := fmt.Sprintf("%.0f ms (p50), %.0f ms (p99)", s.middle(p50Ms), s.middle(p99Ms))
	if direct, ok := r.seriesOf("cold", coldNode, kindDirect); ok {
		text += fmt.Sprintf("; started directly %.0f ms", direct.middle(p50Ms))
	}
	return text
}

func proxyLatency(r *Report, kind string) string {
	s, ok := r.seriesOf("small", connections(1), kind)
	direct, ok2 := r.seriesOf("small", connections(1), kindDirect)
	if !ok || !ok2 {
		return ""
	}
	return fmt.Sprintf("%.3f ms added, %.3f ms in all (p50, 1 connection)", spreadOf(differences(s.values(p50Ms), direct.values(p50Ms))).Median,
		s.middle(p50Ms))
}

func throughput(r *Report, kind string) string {
	s, ok := r.seriesOf("small", connections(50), kind)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%.0f req/s at 50 connections", s.middle(workPerSecond))
}

func residentAlone(r *Report, kind string) string {
	s, ok := r.seriesOf("memory", plural(1, "service"), kind)
	if !ok {
		return ""
	}
	text := fmt.Sprintf("%.1f MB resident", s.middle(residentMB))
	if kind == kindOurs {
		text += fmt.Sprintf(", engine and keeper together (%.1f MB of their own, without their program)", s.middle(ownMB))
	}
	return text
}
