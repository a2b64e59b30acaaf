-- For wrk: sends the requests of a file in turn, a line `PATH<tab>BODY` each, and prints what it saw as JSON.

local prepared, at = {}, 0

function init(arguments)
    wrk.headers["Content-Type"] = "application/json"
    for line in io.lines(arguments[1]) do
        local path, body = line:match("^(.-)\t(.*)$")
        prepared[#prepared + 1] = wrk.format("POST", path, nil, body)
    end
end

function request()
    at = at % #prepared + 1
    return prepared[at]
end

function done(summary, latency)
    local errors = summary.errors
    print(string.format(
        '{"requests": %d, "seconds": %.6f, "p50": %.4f, "p99": %.4f,'
            .. ' "status": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d}',
        summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        errors.status, errors.connect, errors.read, errors.write, errors.timeout
    ))
end
