-- What is retained: {head, first, epoch of the head, {"<epoch> <first offset>", …}}.
--
-- KEYS  meta, log, epochs
local function offset_of(entry) return entry and tonumber(string.match(entry[1], '^%d+')) end
local m = redis.call('HMGET', KEYS[1], 'epoch', 'seq')
local top = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local head = math.max(tonumber(m[2] or 0), offset_of(top) or 0)
if head == 0 then return { 0, 1, 0, {} } end
local low = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
return { head, offset_of(low) or head + 1, tonumber(m[1] or 0), redis.call('LRANGE', KEYS[3], 0, -1) }
