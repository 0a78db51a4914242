-- Moves the watermark on, unless the index went back in time since the sweep looked.
--
-- KEYS[1]  the board's state
-- ARGV[1]  prefix of the board's keys, ARGV[2] epoch and ARGV[3] position that the sweep relied on,
-- ARGV[4]  the server's run id then: a server that was restarted may have lost steps and taken
--          others since, so its position says nothing
-- ARGV[5]  the watermark, ARGV[6] the mark, ARGV[7] the database's lineage

local state = redis.call('HMGET', KEYS[1], 'epoch', 'position')
if state[1] ~= ARGV[2] or tonumber(state[2]) < tonumber(ARGV[3]) then return { 1, 0 } end
if not redis.call('INFO', 'server'):find('run_id:' .. ARGV[4], 1, true) then return { 1, 0 } end
redis.call('HSET', KEYS[1], 'watermark', ARGV[5], 'mark', ARGV[6], 'lineage', ARGV[7])
return { 1, 1 }
