-- Ranks of many players in one round trip.
--
-- KEYS[1]  the board's state
-- ARGV[1]  prefix of the board's keys
-- ARGV[2]  the players' ids, 6 bytes each: one argument, as packing and parsing many costs more
--
-- Answers {0} where there is no index, else {1, epoch, position, version, players, blob}, in the
-- blob for each player: rank (4 bytes, from 0, all ones if unranked), version, member; zeros for
-- what is unknown.

local state = redis.call('HMGET', KEYS[1], 'epoch', 'position', 'version')
local epoch = state[1]
if not epoch then return { 0 } end
local set, map = ARGV[1] .. epoch .. ':z', ARGV[1] .. epoch .. ':m:'
local found = {}
local ids = ARGV[2]
for at = 1, #ids, 6 do
  local high, low = struct.unpack('>I2I4', ids, at)
  local slot, id = low % 128, ids:sub(at, at + 5)
  local bucket = string.format('%.0f', high * 33554432 + (low - slot) / 128)
  local known = redis.call('HGET', map .. bucket, slot)
  local rank, value = 4294967295, string.rep('\0', 26)
  if known and #known > 6 then
    value = known .. id
    rank = redis.call('ZRANK', set, known:sub(7) .. id) or rank
  elseif known then
    value = known .. string.rep('\0', 20)
  end
  found[#found + 1] = struct.pack('>I4', rank) .. value
end
return {
  1, epoch, tonumber(state[2]), tonumber(state[3]), redis.call('ZCARD', set), table.concat(found),
}
