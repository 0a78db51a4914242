-- A run of neighbours, by rank or around a player.
--
-- KEYS[1]  the board's state
-- ARGV[1]  prefix of the board's keys
-- ARGV[2]  'rank' with first and last rank (from 0), or
--          'around' with bucket, slot, id (6 bytes) and radius
--
-- Answers {0} where there is no index, else
-- {1, epoch, position, version, players, first rank or -1 if unranked, members}.

local state = redis.call('HMGET', KEYS[1], 'epoch', 'position', 'version')
local epoch = state[1]
if not epoch then return { 0 } end
local set = ARGV[1] .. epoch .. ':z'
local players = redis.call('ZCARD', set)
local first, last
if ARGV[2] == 'rank' then
  first, last = tonumber(ARGV[3]), tonumber(ARGV[4])
else
  local known = redis.call('HGET', ARGV[1] .. epoch .. ':m:' .. ARGV[3], ARGV[4])
  local rank = known and #known > 6 and redis.call('ZRANK', set, known:sub(7) .. ARGV[5])
  if not rank then
    return { 1, epoch, tonumber(state[2]), tonumber(state[3]), players, -1, '' }
  end
  first, last = math.max(0, rank - tonumber(ARGV[6])), rank + tonumber(ARGV[6])
end
local members = redis.call('ZRANGE', set, first, last)
return {
  1, epoch, tonumber(state[2]), tonumber(state[3]), players, first, table.concat(members),
}
