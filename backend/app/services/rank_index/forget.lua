-- Removes keys of epochs that are neither read nor being built at this moment.
--
-- KEYS[1]  the board's state
-- ARGV[1]  prefix of the board's keys; then the keys

local live = redis.call('HMGET', KEYS[1], 'epoch', 'building')
local removed = 0
for at = 2, #ARGV do
  local epoch = ARGV[at]:sub(#ARGV[1] + 1):match('^([^:]+):')
  if epoch and epoch ~= live[1] and epoch ~= live[2] then
    removed = removed + redis.call('UNLINK', ARGV[at])
  end
end
return { 1, removed }
