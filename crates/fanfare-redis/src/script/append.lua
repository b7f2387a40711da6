-- Appends a batch, as one; after a restart or a failover, in a new epoch (RD1 to RD5).
--
-- KEYS  meta, log, epochs, named, marks; then for each record: dedupe key, id key (meta: none)
-- ARGV  1 fence, 2 candidate epoch, 3 count kept, 4 bytes kept, 5 age kept in ms (0: any),
--       6 now of the node in ms, 7 dedupe window in ms; then for each record: fingerprint, weight,
--       bytes
-- Gives for each record {0, epoch, offset}: stored, {1, epoch, offset}: a duplicate of it, or
-- {2}: its key was used for another.
local meta, log, epochs, named, marks = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local bytes_kept, age_kept = tonumber(ARGV[4]), tonumber(ARGV[5])
local count = (#ARGV - 7) / 3

local function text(n) return string.format('%.0f', n) end
local function offset_of(entry) return tonumber(string.match(entry[1], '^%d+')) end

-- A restart changes the first, a promotion the second.
local fence = ''
if ARGV[1] == 'run_id' then
  fence = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''
end
fence = fence .. '/' .. (string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)') or '')

local m = redis.call('HMGET', meta, 'epoch', 'seq', 'fence', 'total', 'mark', 'mark_total', 'mark_ms')
local epoch, seq, fresh = m[1], tonumber(m[2] or 0), m[3] ~= fence
local total, mark = tonumber(m[4] or 0), tonumber(m[5] or 0)
local mark_total, mark_ms = tonumber(m[6] or 0), tonumber(m[7] or 0)
local top = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
if not epoch then
  if count == 0 then return {} end
  -- Without both, what is left is of a history that is gone.
  if not top then redis.call('DEL', log, epochs, named) end
  redis.call('DEL', marks)
  fresh = true
end
-- A log ahead of meta was left by a script that failed: it is adopted (RD2).
if top and offset_of(top) > seq then seq, fresh = offset_of(top), true end

-- Only a clock that both agree on makes a record old (T5).
local clock = redis.call('TIME')
local now = math.min(tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000), tonumber(ARGV[6]))

local function begin()
  local used, candidate = {}, tonumber(ARGV[2])
  for _, row in ipairs(redis.call('LRANGE', epochs, 0, -1)) do
    used[tonumber(string.match(row, '^%d+'))] = true
  end
  while used[candidate] do candidate = candidate % 4294967295 + 1 end
  epoch, fresh = text(candidate), false
  redis.call('RPUSH', epochs, epoch .. ' ' .. text(seq))
  redis.call('LTRIM', epochs, -1000, -1)
end

-- Places where the history may be cut, so that bytes and age need no look at each record.
local function note_mark(place)
  mark, mark_total, mark_ms = place, total, now
  redis.call('RPUSH', marks, text(place) .. ' ' .. text(total) .. ' ' .. text(now))
end

local out = {}
for i = 1, count do
  local key, id = KEYS[4 + 2 * i], KEYS[5 + 2 * i]
  local print, weight, bytes = ARGV[5 + 3 * i], tonumber(ARGV[6 + 3 * i]), ARGV[7 + 3 * i]
  local seen = key ~= meta and redis.call('GET', key)
  if seen then
    local e, o, f = string.match(seen, '^(%S+) (%S+) (%S+)$')
    out[i] = f == print and { 1, tonumber(e), tonumber(o) } or { 2 }
  else
    seq = seq + 1
    if fresh then begin() end
    if seq - mark >= 256 or total - mark_total >= bytes_kept / 64
      or (age_kept > 0 and now - mark_ms >= age_kept / 64) then
      note_mark(seq)
    end
    total = total + weight
    redis.call('XADD', log, text(seq) .. '-0', 'e', epoch, 'v', bytes)
    if key ~= meta then
      redis.call('SET', key, epoch .. ' ' .. text(seq) .. ' ' .. print, 'PX', ARGV[7])
    end
    if id ~= meta then
      -- Offsets that do not grow are of a history that is gone.
      local last = redis.call('LINDEX', id, -1)
      if last and tonumber(last) >= seq then redis.call('DEL', id) end
      redis.call('RPUSH', id, text(seq))
      redis.call('RPUSH', named, text(seq) .. ' ' .. id)
    end
    out[i] = { 0, tonumber(epoch), seq }
  end
end
if count == 0 and age_kept > 0 and seq >= mark and now - mark_ms >= age_kept / 64 then
  note_mark(seq + 1)
end

local function first()
  local entry = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
  return entry and offset_of(entry) or seq + 1
end

local low, floor = first(), seq - tonumber(ARGV[3]) + 1
while true do
  local o, t, ms = string.match(redis.call('LINDEX', marks, 1) or '', '^(%d+) (%d+) (%d+)$')
  if not o then break end
  local enough = total - tonumber(t) >= bytes_kept
  local old = age_kept > 0 and tonumber(ms) <= now - age_kept
  if not (enough or old or tonumber(o) <= low) then break end
  redis.call('LPOP', marks)
  if enough or old then floor = math.max(floor, tonumber(o)) end
end
if floor > low then
  redis.call('XTRIM', log, 'MINID', text(floor) .. '-0')
  low = first()
end
for _ = 1, 2 * count + 64 do
  local o, id = string.match(redis.call('LINDEX', named, 0) or '', '^(%d+) (.+)$')
  if not o or tonumber(o) >= low then break end
  redis.call('LPOP', named)
  if redis.call('LINDEX', id, 0) == o then redis.call('LPOP', id) end
end

if not fresh then
  redis.call('HSET', meta, 'epoch', epoch, 'seq', text(seq), 'fence', fence, 'total', text(total),
    'mark', text(mark), 'mark_total', text(mark_total), 'mark_ms', text(mark_ms))
end
return out
