package config

import "strings"

// nearest is the name that was probably meant, or "": the one with the fewest typing mistakes, if they are few
// for the length of the word. Case does not count as a mistake.
func nearest(word string, names []string) string {
	best, fewest := "", max(len(word)/3, 1)
	if len(word) > 64 {
		return ""
	}
	for _, name := range names {
		d := distance(strings.ToLower(word), strings.ToLower(name))
		if d < fewest || d == fewest && best == "" {
			best, fewest = name, d
		}
	}
	return best
}

// DidYouMean is the end of a message about a service that there is not: "" if no name is near.
func DidYouMean(word string, names []string) string { return didYouMean(word, names) }

// didYouMean is the end of a message, "" if no name is near.
func didYouMean(word string, names []string) string {
	if name := nearest(word, names); name != "" {
		return "; did you mean " + name + "?"
	}
	return ""
}

// distance is the optimal string alignment distance: insertions, deletions, replacements and swaps of
// neighbours that lead from a to b, each counted once.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// shorten keeps what a person wrote short enough for a message.
func shorten(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "..."
	}
	return s
}
