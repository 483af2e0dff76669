-- The requests of the workload BENCH_WORKLOAD over BENCH_ROWS rows, for wrk, and one line of JSON about the answers.
local workload = os.getenv("BENCH_WORKLOAD")
local rows = tonumber(os.getenv("BENCH_ROWS"))

-- Formatted once and sent in turn: formatting each when it is sent would make the client the slowest part.
local prepared, count, at = {}, 0, 0

local function prepare(text)
  count = count + 1
  prepared[count] = text
end

function init()
  if workload == "item" then
    math.randomseed(4711)  -- the same ids for every server
    for _ = 1, 10000 do prepare(wrk.format("GET", "/api/items/" .. math.random(1, rows))) end
  elseif workload == "create" then
    local fields = { ["Content-Type"] = "application/json" }
    for i = 1, 1000 do
      local body = '{"name":"Bench item %d","description":"Created by the benchmark, number %d"}'
      prepare(wrk.format("POST", "/api/items", fields, body:format(i, i)))
    end
  end
end

-- Without this function wrk repeats one request, which is cheaper for it.
if workload == "item" or workload == "create" then
  function request()
    at = at % count + 1
    return prepared[at]
  end
end

function done(summary, latency)
  local errors = summary.errors
  local line = '@@{"requests":%d,"microseconds":%d,"p50_us":%d,"p90_us":%d,"p99_us":%d,"p999_us":%d,"max_us":%d,'
    .. '"refused":%d,"socket_errors":%d}\n'
  io.write(line:format(
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(90), latency:percentile(99),
    latency:percentile(99.9), latency.max, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
