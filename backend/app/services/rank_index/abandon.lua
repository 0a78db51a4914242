-- Forgets the epoch that is being built if nobody builds it, so that writers stop filling it.
--
-- KEYS[1]  the board's state
-- ARGV[1]  prefix of the board's keys, ARGV[2] the epoch,
-- ARGV[3]  the caller's token if the caller holds the lock of rebuilds, else ''

local holder = redis.call('GET', ARGV[1] .. 'rebuild')
if holder and holder ~= ARGV[3] then return { 1, 0 } end
if redis.call('HGET', KEYS[1], 'building') ~= ARGV[2] then return { 1, 0 } end
redis.call('HDEL', KEYS[1], 'building')
return { 1, 1 }
