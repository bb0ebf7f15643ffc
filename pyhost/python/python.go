package python

import _ "embed" // for Bootstrap

// Bootstrap is the source of the program that a zygote runs, for the settings key "bootstrap".
//
//go:embed bootstrap.py
var Bootstrap string
