-- Keeps the lease of a node, and changes its entries; 0: the lease is lost, nothing was changed
-- (PR3).
--
-- KEYS  nodes, subs
-- ARGV  node, ttl in ms; then for each change: 1 or 0 (there or not), key, value
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not ends or tonumber(ends) <= now then return 0 end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
for i = 3, #ARGV, 3 do
  if ARGV[i] == '1' then
    redis.call('HSET', KEYS[2], ARGV[i + 1], ARGV[i + 2])
  else
    redis.call('HDEL', KEYS[2], ARGV[i + 1])
  end
end
return 1
