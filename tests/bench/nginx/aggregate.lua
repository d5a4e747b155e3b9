-- One answer made of three, as it is written with nginx's Lua module: subrequests, all at once, or each of the one before.

local cjson = require "cjson"

local M = {}

local function checked(response)
  if response.status ~= 200 then ngx.exit(502) end
  return response.body
end

local function say(text)
  ngx.header.content_type = "application/json"
  ngx.header.content_length = #text
  ngx.print(text)
end

local function three()
  local path = "/parts/" .. ngx.var.kind .. "/"
  local a, b, c = ngx.location.capture_multi { { path .. 1 }, { path .. 2 }, { path .. 3 } }
  return checked(a), checked(b), checked(c)
end

function M.three()
  local a, b, c = three()
  say(cjson.encode { a = cjson.decode(a), b = cjson.decode(b), c = cjson.decode(c) })
end

-- The answers are put together unread, valid or not.
function M.texts()
  local a, b, c = three()
  say('{"a":' .. a .. ',"b":' .. b .. ',"c":' .. c .. "}")
end

local function one(id)
  return cjson.decode(checked(ngx.location.capture("/parts/small/" .. id)))
end

function M.chain()
  local a = one(1)
  local b = one(a.next.id)
  say(cjson.encode { a = a, b = b, c = one(b.next.id) })
end

return M
