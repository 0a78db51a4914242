-- Takes tokens from many buckets in one atomic step, by the clock of the server.
--
-- KEYS     the buckets
-- ARGV     five a bucket: capacity, tokens a millisecond, tokens that come back unspent from an
--          earlier lease, how many are wanted, and how many of them are of any use at least
--
-- A bucket holds its tokens and when that was (8 bytes each); a full one is not kept. Answers
-- three a bucket: tokens granted, tokens left in it, and, if none were granted, milliseconds until
-- there are as many as are of use.

local call, pack, unpack = redis.call, struct.pack, struct.unpack
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answer = {}
for at, key in ipairs(KEYS) do
  local first = at * 5 - 4
  local capacity, rate, back = tonumber(ARGV[first]), tonumber(ARGV[first + 1]), tonumber(ARGV[first + 2])
  local wanted, least = tonumber(ARGV[first + 3]), tonumber(ARGV[first + 4])
  local known, tokens = call('GET', key), capacity
  if known then
    local had, since = unpack('>dd', known)
    tokens = math.min(capacity, had + math.max(0, now - since) * rate + back)
  end
  local granted = math.min(wanted, math.floor(tokens))
  local wait = 0
  if granted < least then
    granted = 0
    wait = math.ceil((least - tokens) / rate)
  end
  tokens = tokens - granted
  local missing = math.ceil((capacity - tokens) / rate)
  if missing > 0 then
    call('SET', key, pack('>dd', tokens, now), 'PX', missing)
  elseif known then
    call('DEL', key)
  end
  answer[#answer + 1] = granted
  answer[#answer + 1] = math.floor(tokens)
  answer[#answer + 1] = wait
end
return answer
