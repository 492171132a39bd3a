-- The registry of live nodes. KEYS: registry. ARGV: name ('' for a query only), node, address, time to live; 0 removes.
-- A name belongs to the process that holds it until its entry expires: the caller sees the holder.
-- Returns the name, node and address of each live node, flat.
local now = now_ms()
if ARGV[1] ~= '' then
  local known = redis.call('HGET', KEYS[1], ARGV[1])
  local expires, holder = string.match(known or '', '^(%d+) (%S+)')
  if ARGV[4] ~= '0' then
    if holder == nil or holder == ARGV[2] or tonumber(expires) <= now then
      redis.call('HSET', KEYS[1], ARGV[1], (now + ARGV[4]) .. ' ' .. ARGV[2] .. ' ' .. ARGV[3])
    end
  elseif holder == ARGV[2] then
    -- Another process of that name may have taken over; its entry stays.
    redis.call('HDEL', KEYS[1], ARGV[1])
  end
end
local live = {}
for name, value in pairs(to_map(redis.call('HGETALL', KEYS[1]))) do
  local expires, node, address = string.match(value, '^(%d+) (%S+) (.*)$')
  if tonumber(expires) > now then
    for _, part in ipairs({name, node, address}) do live[#live + 1] = part end
  else
    redis.call('HDEL', KEYS[1], name)
  end
end
return live
