package report

// Machine describes where a run was made.
type Machine struct {
	CPU      string    `json:"cpu"`
	Cores    int       `json:"cores"`
	Memory   int64     `json:"memory_bytes"`
	System   string    `json:"system"` // distribution
	Kernel   string    `json:"kernel"`
	Versions []Version `json:"versions"`
}

// Version is one program or library that took part.
type Version struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}
