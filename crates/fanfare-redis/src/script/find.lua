-- Offsets at which an id stands, earliest first, at most eight.
--
-- KEYS  id key, log
local low = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
if not low then return {} end
low = tonumber(string.match(low[1], '^%d+'))
local found, place = {}, 0
while #found < 8 do
  local offset = tonumber(redis.call('LINDEX', KEYS[1], place) or '')
  if not offset then break end
  if offset >= low then found[#found + 1] = offset end
  place = place + 1
end
return found
