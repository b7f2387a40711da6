-- Takes over one node whose lease ran out, or whose reaper did not finish in time (PR2).
--
-- KEYS  nodes, reaped
-- ARGV  ttl in ms
-- Gives the node, or nothing.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
for _, key in ipairs(KEYS) do
  local node = redis.call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', 0, 1)[1]
  if node then
    redis.call('ZREM', KEYS[1], node)
    redis.call('ZADD', KEYS[2], now + tonumber(ARGV[1]), node)
    return node
  end
end
return false
