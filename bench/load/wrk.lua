-- Script for wrk: one line of exact numbers at the end (wrk's own report rounds
-- them for people), and a POST of a given size when asked: -- upload BYTES.
-- wrk builds its one request after init(). The script defines neither request() nor
-- response(), which would make wrk call Lua for every request.

function init(args)
  if args[1] == "upload" then
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/octet-stream"
    wrk.body = string.rep("x", tonumber(args[2]))
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    "bench requests=%d bytes=%d duration=%d connect=%d read=%d write=%d status=%d timeout=%d p50=%d p99=%d max=%d\n",
    summary.requests, summary.bytes, summary.duration,
    errors.connect, errors.read, errors.write, errors.status, errors.timeout,
    latency:percentile(50), latency:percentile(99), latency.max))
end
