-- Applies folds to the index in one atomic step: sorted set, player map, delta stream.
--
-- KEYS[1]  the board's state
-- ARGV[1]  prefix of the board's keys
-- ARGV[2]  'all', or 'building' to fill only the epoch that is being built
-- ARGV[3]  ranks below this one (from 0) carry their details in the delta
-- ARGV[4]  about how many entries the delta stream keeps
-- then five a player: bucket, slot, version (6 bytes) .. member (20 bytes), '1' if ranked, details
--
-- A fold is taken only if its version is greater than the one applied, so applying twice or out
-- of order ends in the same state. Answers {0} where there is no index, else
-- {1, epoch, position, version, players, old and new rank of each (4 bytes each, from 0)}.

local NONE = 4294967295
local NO_MEMBER = string.rep('\0', 20)
local prefix, scope, window = ARGV[1], ARGV[2], tonumber(ARGV[3])
local state = redis.call('HMGET', KEYS[1], 'epoch', 'building', 'position', 'version')
local epoch, building = state[1], state[2]

local function version_of(bytes)
  local high, low = struct.unpack('>I2I4', bytes)
  return high * 4294967296 + low
end

-- What is known of a player, and what to do: the old member, and the new one if it is news.
local function compare(map, at)
  local packed = ARGV[at + 2]
  local known = redis.call('HGET', map .. ARGV[at], ARGV[at + 1])
  local old = known and #known > 6 and known:sub(7) .. packed:sub(21) or false
  local news = not known or version_of(known) < version_of(packed)
  local new = ARGV[at + 3] == '1' and packed:sub(7) or false
  return old, new, news
end

local function store(set, map, at, old, new)
  if old ~= new then
    if old then redis.call('ZREM', set, old) end
    if new then redis.call('ZADD', set, 0, new) end
  end
  local packed = ARGV[at + 2]
  redis.call('HSET', map .. ARGV[at], ARGV[at + 1], packed:sub(1, new and 20 or 6))
end

if building then
  local set, map = prefix .. building .. ':z', prefix .. building .. ':m:'
  for at = 5, #ARGV, 5 do
    local old, new, news = compare(map, at)
    if news then store(set, map, at, old, new) end
  end
end
if scope == 'building' then return { building and 1 or 0 } end
if not epoch then return { 0 } end

local set, map = prefix .. epoch .. ':z', prefix .. epoch .. ':m:'
local position, version = tonumber(state[3]), tonumber(state[4])
local records, details, ranks = {}, {}, {}
for at = 5, #ARGV, 5 do
  local old, new, news = compare(map, at)
  local before = old and redis.call('ZRANK', set, old) or NONE
  local after = before
  if news then
    store(set, map, at, old, new)
    if old ~= new then after = new and redis.call('ZRANK', set, new) or NONE end
    local packed = ARGV[at + 2]
    version = math.max(version, version_of(packed))
    records[#records + 1] = packed:sub(1, 6) .. packed:sub(21) .. (old or NO_MEMBER)
      .. (new or NO_MEMBER) .. struct.pack('>I4I4', before, after)
    local text = after < window and ARGV[at + 4] or ''
    details[#details + 1] = struct.pack('>I4', #text) .. text
  end
  ranks[#ranks + 1] = struct.pack('>I4I4', before, after)
end

local players = redis.call('ZCARD', set)
if #records > 0 then
  position = position + 1
  redis.call('HSET', KEYS[1], 'position', position, 'version', version)
  redis.call('XADD', prefix .. epoch .. ':d', 'MAXLEN', '~', ARGV[4],
    string.format('%.0f-0', position),
    'r', table.concat(records), 'd', table.concat(details), 'n', players, 'v', version)
end
return { 1, epoch, position, version, players, table.concat(ranks) }
