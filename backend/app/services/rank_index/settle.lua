-- Moves the watermark on, unless the index went back in time since the sweep looked.
--
-- KEYS[1]  the board's state
-- ARGV[1]  prefix of the board's keys, ARGV[2] epoch and ARGV[3] position that the sweep relied on,
-- ARGV[4]  the watermark

local state = redis.call('HMGET', KEYS[1], 'epoch', 'position')
if state[1] ~= ARGV[2] or tonumber(state[2]) < tonumber(ARGV[3]) then return { 1, 0 } end
redis.call('HSET', KEYS[1], 'watermark', ARGV[4])
return { 1, 1 }
