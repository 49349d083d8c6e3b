-- For wrk: presents the tokens of a list at random, and tells what came back.
-- Arguments: the list's file (lines of one length), how many of its lines, and the kind:
--   bearer   a token a line
--   user     a token and the organization that the request names
--   basic    what stands behind "Basic "
local ffi = require "ffi"
ffi.cdef [[
   int open(const char *path, int flags);
   void *mmap(void *at, size_t size, int protection, int flags, int file, long offset);
]]

local lines, length, count, kind

-- The list is mapped: as a string it would be most of what the garbage collector counts, which then
-- lets garbage grow as large, and stops for tens of milliseconds to collect it.
local function map(path)
   local file = assert(io.open(path, "rb"))
   length = #assert(file:read("*l"), "the list is empty") + 1
   local size = file:seek("end")
   file:close()
   assert(size >= count * length, "the list is too short")
   local read_only, private = 1, 2
   local at = ffi.C.mmap(nil, size, read_only, private, ffi.C.open(path, 0), 0)
   assert(at ~= ffi.cast("void *", -1), "the list cannot be mapped")
   return ffi.cast("const char *", at)
end

function init(args)
   count = tonumber(args[2])
   kind = args[3]
   lines = map(args[1])
   math.randomseed(os.time())
   local path = wrk.path
   local head = "GET " .. path .. " HTTP/1.1\r\nHost: localhost\r\nAuthorization: "
      .. (kind == "basic" and "Basic " or "Bearer ")
   request = function()
      local line = ffi.string(lines + math.random(0, count - 1) * length, length - 1)
      if kind == "user" then
         local space = line:find(" ", 1, true)
         line = line:sub(1, space - 1) .. "\r\nX-Org-Id: " .. line:sub(space + 1)
      end
      return head .. line .. "\r\n\r\n"
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
