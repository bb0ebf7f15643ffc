package config

// didYouMean returns the end of a message about an unknown name: the nearest known name, or the alternative.
func didYouMean(name string, known []string, otherwise string) string {
	if near := nearest(name, known); near != "" {
		return "; did you mean \"" + near + "\"?"
	}
	return otherwise
}

// nearest returns the known name that is fewest typing errors away, or "" when none is close enough to be meant.
func nearest(name string, known []string) string {
	if len(name) > 64 {
		return "" // no typing error, and a distance would take long
	}
	most := max(1, len(name)/3)
	best, near := most+1, ""
	for _, k := range known {
		if d := distance(name, k); d < best || d == best && near != "" && k < near {
			best, near = d, k
		}
	}
	return near
}

// distance counts the typing errors between a and b: a byte too many, missing, wrong, or swapped with its
// neighbour (optimal string alignment).
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
