-- For wrk: presents the tokens of a list at random, and tells what came back.
-- Arguments: the list's file (lines of one length), how many of its lines, and the kind:
--   bearer   a token a line
--   user     a token and the organization that the request names
--   basic    what stands behind "Basic "
local lines, length, count, kind

function init(args)
   local file = assert(io.open(args[1], "rb"))
   lines = file:read("*a")
   file:close()
   length = lines:find("\n", 1, true)
   count = tonumber(args[2])
   kind = args[3]
   assert(#lines >= count * length, "the list is too short")
   math.randomseed(os.time())
   local path = wrk.path
   local head = "GET " .. path .. " HTTP/1.1\r\nHost: localhost\r\nAuthorization: "
   local scheme = kind == "basic" and "Basic " or "Bearer "
   request = function()
      local at = math.random(0, count - 1) * length
      local line = lines:sub(at + 1, at + length - 1)
      if kind == "user" then
         local space = line:find(" ", 1, true)
         line = line:sub(1, space - 1) .. "\r\nX-Org-Id: " .. line:sub(space + 1)
      end
      return head .. scheme .. line .. "\r\n\r\n"
   end
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format("result %d %d %d %d", summary.requests, summary.duration,
      errors.status, errors.connect + errors.read + errors.write + errors.timeout))
   for _, p in ipairs({ 50, 90, 99, 99.9 }) do
      io.write(string.format(" %d", latency:percentile(p)))
   end
   io.write("\n")
end
