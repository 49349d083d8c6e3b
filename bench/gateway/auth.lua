-- access_by_lua, as one would write it: the token's SHA-256 looked up in Redis.
local sha256 = require "nginx.sha256"
local redis = require "nginx.redis"

local _M = {}

local function digest(token)
   local made = sha256:new()
   made:update(token)
   return made:final()
end

local function presented()
   local field = ngx.var.http_authorization
   local from, to = field and ngx.re.find(field, [[^Bearer +([\w.~+/-]+=*)$]], "jo", nil, 1)
   if not from then
      return nil
   end
   return field:sub(from, to)
end

function _M.by_redis(socket)
   local token = presented()
   if not token then
      return ngx.exit(401)
   end
   local connection = redis:new()
   if not connection:connect(socket) then
      return ngx.exit(503)
   end
   local found = connection:get("t:" .. digest(token))
   connection:set_keepalive(60000, 100)
   if not found or found == ngx.null then
      return ngx.exit(401)
   end
end

return _M
