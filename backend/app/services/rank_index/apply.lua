-- Applies folds to the index in one atomic step: sorted set, player map, delta stream.
--
-- KEYS[1]  the board's state
-- ARGV[1]  prefix of the board's keys
-- ARGV[2]  'all', or 'building' to fill only the epoch that is being built
-- ARGV[3]  ranks below this one (from 0) carry their details in the delta
-- ARGV[4]  about how many entries the delta stream keeps
-- ARGV[5]  29 bytes a player: version (6), member (20), 1 if ranked, length of the details (2)
-- ARGV[6]  the players' details, one after the other
--
-- A fold is taken only if its version is greater than the one applied, so applying twice or out
-- of order ends in the same state. Answers {0} where there is no index, else
-- {1, epoch, position, version, players, old and new rank of each (4 bytes each, from 0)}. The old
-- rank of a fold that was not taken is unknown: the call that took it knew it.

local NONE, UNKNOWN = 4294967295, 4294967294
local NO_MEMBER = string.rep('\0', 20)
local call, pack, unpack = redis.call, struct.pack, struct.unpack
local prefix, scope, window = ARGV[1], ARGV[2], tonumber(ARGV[3])
local state = call('HMGET', KEYS[1], 'epoch', 'building', 'position', 'version')
local epoch, building = state[1], state[2]

local folds, texts = ARGV[5], ARGV[6]
local SIZE = 29

-- Of the fold at this place: bucket, slot, id, the old member (false if unranked), the new one
-- (false likewise), and whether it is news. The player map keeps the version in 6 bytes and the
-- first 14 of the member, or the version alone.
local function compare(map, at)
  local ranked = folds:byte(at + 26) == 1
  local high, low = unpack('>I2I4', folds, at)
  local user_high, user_low = unpack('>I2I4', folds, at + 20)
  local id = folds:sub(at + 20, at + 25)
  local slot = user_low % 128
  local bucket = map .. string.format('%.0f', user_high * 33554432 + (user_low - slot) / 128)
  local new = ranked and folds:sub(at + 6, at + 25)
  local known = call('HGET', bucket, slot)
  if not known then return bucket, slot, id, false, new, true, high * 4294967296 + low end
  local known_high, known_low = unpack('>I2I4', known)
  local old = #known > 6 and known:sub(7) .. id
  local news = known_high < high or (known_high == high and known_low < low)
  return bucket, slot, id, old, new, news, high * 4294967296 + low
end

local function store(set, bucket, slot, at, old, new)
  if old ~= new then
    if old then call('ZREM', set, old) end
    if new then call('ZADD', set, 0, new) end
  end
  call('HSET', bucket, slot, folds:sub(at, at + (new and 19 or 5)))
end

if building then
  local set, map = prefix .. building .. ':z', prefix .. building .. ':m:'
  for at = 1, #folds, SIZE do
    local bucket, slot, _, old, new, news = compare(map, at)
    if news then store(set, bucket, slot, at, old, new) end
  end
end
if scope == 'building' then return { building and 1 or 0 } end
if not epoch then return { 0 } end

local set, map = prefix .. epoch .. ':z', prefix .. epoch .. ':m:'
local position, version = tonumber(state[3]), tonumber(state[4])
local records, details, ranks, text = {}, {}, {}, 1
for at = 1, #folds, SIZE do
  local bucket, slot, id, old, new, news, fold_version = compare(map, at)
  local size = unpack('>I2', folds, at + 27)
  local before = old and call('ZRANK', set, old) or NONE
  local after = before
  if news then
    store(set, bucket, slot, at, old, new)
    if old ~= new then after = new and call('ZRANK', set, new) or NONE end
    version = math.max(version, fold_version)
    local both = pack('>I4I4', before, after)
    ranks[#ranks + 1] = both
    local count = #records
    records[count + 1] = folds:sub(at, at + 5)
    records[count + 2] = id
    records[count + 3] = old or NO_MEMBER
    records[count + 4] = new or NO_MEMBER
    records[count + 5] = both
    if after < window then
      details[#details + 1] = pack('>I4', size)
      details[#details + 1] = texts:sub(text, text + size - 1)
    end
  else
    ranks[#ranks + 1] = pack('>I4I4', UNKNOWN, after)
  end
  text = text + size
end

local players = call('ZCARD', set)
if #records > 0 then
  position = position + 1
  call('HSET', KEYS[1], 'position', position, 'version', version)
  call('XADD', prefix .. epoch .. ':d', 'MAXLEN', '~', ARGV[4],
    string.format('%.0f-0', position), 'r', table.concat(records), 'd', table.concat(details),
    'w', window, 'n', players, 'v', version)
end
return { 1, epoch, position, version, players, table.concat(ranks) }
