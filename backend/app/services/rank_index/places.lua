-- A board's order, thinned: the best players, those at some ranks further down, and the last one.
--
-- KEYS[1]  the board's state
-- ARGV[1]  prefix of the board's keys
-- ARGV[2]  how many of the best are wanted
-- ARGV[3]  the ranks below them (from 0, rising, 4 bytes each)
--
-- Answers {0} where there is no index, else {1, epoch, position, version, players, members}.

local call, unpack = redis.call, struct.unpack
local state = call('HMGET', KEYS[1], 'epoch', 'position', 'version')
local epoch = state[1]
if not epoch then return { 0 } end
local set = ARGV[1] .. epoch .. ':z'
local players, best, ranks = call('ZCARD', set), tonumber(ARGV[2]), ARGV[3]
local found = call('ZRANGE', set, 0, best - 1)
if players > best then
  local count = best
  for at = 1, #ranks, 4 do
    local rank = unpack('>I4', ranks, at)
    if rank >= players - 1 then break end
    count = count + 1
    found[count] = call('ZRANGE', set, rank, rank)[1]
  end
  found[count + 1] = call('ZRANGE', set, -1, -1)[1]
end
return { 1, epoch, tonumber(state[2]), tonumber(state[3]), players, table.concat(found) }
