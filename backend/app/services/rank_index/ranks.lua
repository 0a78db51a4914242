-- Ranks of many players in one round trip.
--
-- KEYS[1]  the board's state
-- ARGV[1]  prefix of the board's keys; then three a player: bucket, slot, id (6 bytes)
--
-- Answers {0} where there is no index, else {1, epoch, position, version, players, blob}, in the
-- blob for each player: rank (4 bytes, from 0, all ones if unranked), version, member; zeros for
-- what is unknown.

local state = redis.call('HMGET', KEYS[1], 'epoch', 'position', 'version')
local epoch = state[1]
if not epoch then return { 0 } end
local set, map = ARGV[1] .. epoch .. ':z', ARGV[1] .. epoch .. ':m:'
local found = {}
for at = 2, #ARGV, 3 do
  local known = redis.call('HGET', map .. ARGV[at], ARGV[at + 1])
  local rank, value = 4294967295, string.rep('\0', 26)
  if known and #known > 6 then
    value = known .. ARGV[at + 2]
    rank = redis.call('ZRANK', set, known:sub(7) .. ARGV[at + 2]) or rank
  elseif known then
    value = known .. string.rep('\0', 20)
  end
  found[#found + 1] = struct.pack('>I4', rank) .. value
end
return {
  1, epoch, tonumber(state[2]), tonumber(state[3]), redis.call('ZCARD', set), table.concat(found),
}
