package report

// Keys of the metrics. The unit is part of the key.
const (
	Rate       = "requests_per_second"
	P50        = "p50_ms"
	P99        = "p99_ms"
	Longest    = "max_ms"
	CPU        = "server_cpu_us_per_request"
	PSS        = "pss_mib"
	AppPSS     = "app_pss_mib"
	AppRSS     = "app_rss_mib"
	Processes  = "app_processes"
	Fast       = "fast_requests"
	Late       = "late_requests"
	Starved    = "starved_requests"
	IdlePSS    = "pss_kib_per_connection"
	IdleRSS    = "rss_kib_per_connection"
	FrontPSS   = "front_pss_mib"
	ClientCPU  = "client_cpu_percent_of_its_threads"
	OtherCPU   = "other_cpu_percent_of_machine"
	Handshakes = "handshakes_per_second"
	HandshakeP = "server_cpu_us_per_handshake"
)

// heading returns the title of a metric's column.
func heading(key string) string {
	titles := map[string]string{
		Rate:       "requests/s",
		P50:        "p50 ms",
		P99:        "p99 ms",
		Longest:    "longest ms",
		CPU:        "CPU µs/request",
		PSS:        "PSS MiB",
		AppPSS:     "app PSS MiB",
		AppRSS:     "app RSS MiB",
		Processes:  "app processes",
		Fast:       "fast requests",
		Late:       "over 100 ms",
		Starved:    "over 100 ms with a worker free",
		IdlePSS:    "PSS KiB/connection",
		IdleRSS:    "RSS KiB/connection",
		FrontPSS:   "front PSS MiB",
		ClientCPU:  "client CPU % of its threads",
		OtherCPU:   "other CPU % of machine",
		Handshakes: "handshakes/s",
		HandshakeP: "CPU µs/handshake",
	}
	if title, ok := titles[key]; ok {
		return title
	}
	return key
}
