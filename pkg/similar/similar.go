// Package similar finds names that are close to a mistyped one.
//
// It knows no names of its own.
package similar

import (
	"cmp"
	"slices"
)

// Distance is the number of letters to insert, remove, change or swap with their neighbour that makes
// one word of another (optimal string alignment). It is at most limit+1: larger ones are not counted.
func Distance(a, b string, limit int) int {
	x, y := []rune(a), []rune(b)
	if len(x)-len(y) > limit || len(y)-len(x) > limit {
		return limit + 1
	}
	var before, last, row []int // of two letters ago, of the letter before, of this one
	last = make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := range x {
		row = make([]int, len(y)+1)
		row[0] = i + 1
		for j := range y {
			change := last[j]
			if x[i] != y[j] {
				change++
			}
			row[j+1] = min(row[j]+1, last[j+1]+1, change)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		if slices.Min(row) > limit {
			return limit + 1
		}
		before, last = last, row
	}
	return min(last[len(y)], limit+1)
}

// Nearest returns up to most of the names within a distance of limit, the nearest first. The name itself is none of them.
func Nearest(name string, names []string, limit, most int) []string {
	type near struct {
		name     string
		distance int
	}
	var all []near
	for _, n := range names {
		if d := Distance(name, n, limit); d > 0 && d <= limit {
			all = append(all, near{n, d})
		}
	}
	slices.SortFunc(all, func(a, b near) int { return cmp.Or(a.distance-b.distance, cmp.Compare(a.name, b.name)) })
	all = slices.Compact(all)
	found := make([]string, 0, most)
	for _, n := range all[:min(len(all), most)] {
		found = append(found, n.name)
	}
	return found
}
