-- Runs of neighbours, by rank or around a player: many in one round trip.
--
-- KEYS[1]  the board's state
-- ARGV[1]  prefix of the board's keys; then five a window:
--          'rank', first and last rank (from 0), two that are not read, or
--          'around', bucket, slot, id (6 bytes) and radius
--
-- Answers {0} where there is no index, else {1, epoch, position, version, players}, then for each
-- window its first rank (-1 if the player is unranked) and its members.

local call = redis.call
local state = call('HMGET', KEYS[1], 'epoch', 'position', 'version')
local epoch = state[1]
if not epoch then return { 0 } end
local set, map = ARGV[1] .. epoch .. ':z', ARGV[1] .. epoch .. ':m:'
local answer = { 1, epoch, tonumber(state[2]), tonumber(state[3]), call('ZCARD', set) }
for at = 2, #ARGV, 5 do
  local first, last
  if ARGV[at] == 'rank' then
    first, last = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  else
    local known = call('HGET', map .. ARGV[at + 1], ARGV[at + 2])
    local rank = known and #known > 6 and call('ZRANK', set, known:sub(7) .. ARGV[at + 3])
    if rank then
      local radius = tonumber(ARGV[at + 4])
      first, last = math.max(0, rank - radius), rank + radius
    end
  end
  answer[#answer + 1] = first or -1
  answer[#answer + 1] = first and table.concat(call('ZRANGE', set, first, last)) or ''
end
return answer
