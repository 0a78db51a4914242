-- Makes the epoch that was built the one that is read, and tells the old one's followers.
--
-- KEYS[1]  the board's state
-- ARGV[1]  prefix of the board's keys, ARGV[2] the epoch, ARGV[3] version, ARGV[4] watermark,
-- ARGV[5]  mark, ARGV[6] the database's lineage, ARGV[7] the server's run id at the beginning: one
--          that was restarted may have lost a part of what was loaded
--
-- Answers the old epoch ('' if there was none), or -1 if another epoch is being built now or the
-- server is another run.

local state = redis.call('HMGET', KEYS[1], 'epoch', 'building', 'position', 'version')
if state[2] ~= ARGV[2] then return -1 end
if not redis.call('INFO', 'server'):find('run_id:' .. ARGV[7], 1, true) then return -1 end
local version = math.max(tonumber(ARGV[3]), tonumber(state[4] or 0))
redis.call('HDEL', KEYS[1], 'building', 'condemned')
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'position', 0, 'version', version,
  'watermark', ARGV[4], 'mark', ARGV[5], 'lineage', ARGV[6])
if state[1] then
  redis.call('XADD', ARGV[1] .. state[1] .. ':d',
    string.format('%.0f-0', tonumber(state[3]) + 1), 'end', '1')
end
return state[1] or ''
