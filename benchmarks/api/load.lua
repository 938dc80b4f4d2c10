-- wrk: as many customers of the committed log in turn as the argument says; prints what it has measured as JSON.
local customers, number = 1, 0
function init(arguments)
    customers = tonumber(arguments[1])
end
function request()
    number = number % customers + 1
    return wrk.format("GET", "/customers/cust_" .. number .. "/stats?from=2024-09-03")
end
function done(summary, latency, requests)
    local failed = summary.errors
    local failures = failed.connect + failed.read + failed.write + failed.timeout + failed.status
    io.write(string.format('{"answers": %d, "per_second": %f, "p50_ms": %f, "p99_ms": %f, "failures": %d}\n',
        summary.requests, summary.requests / summary.duration * 1e6,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, failures))
end
