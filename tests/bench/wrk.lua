-- With an argument: POST with a body of that many bytes.
function init(args)
	if args[1] then
		wrk.method = 'POST'
		wrk.headers['Content-Type'] = 'application/octet-stream'
		wrk.body = string.rep('x', tonumber(args[1]))
	end
end

-- Closes a run of wrk with one line of JSON that load.mjs reads.
function done(summary, latency, requests)
	local e = summary.errors
	io.write(string.format('result {"requests":%d,"duration_us":%d,"bytes":%d,' ..
	    '"p50_us":%d,"p99_us":%d,"p999_us":%d,"max_us":%d,' ..
	    '"failed":%d,"over_399":%d}\n',
	    summary.requests, summary.duration, summary.bytes,
	    latency:percentile(50), latency:percentile(99), latency:percentile(99.9), latency.max,
	    e.connect + e.read + e.write + e.timeout, e.status))
end
