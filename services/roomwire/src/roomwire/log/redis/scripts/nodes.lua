-- The registry of live nodes. KEYS: registry, reads. ARGV: name ('' for a query only), node, address, time to live (0 removes),
-- the highest format of entries that the node reads. Earlier versions announce no format; they read the first.
-- A name belongs to the process that holds it until its entry expires: the caller sees the holder.
-- Returns the name, node and address of each live node, flat.
local now = now_ms()
if ARGV[1] ~= '' then
  local known = redis.call('HGET', KEYS[1], ARGV[1])
  local expires, holder = string.match(known or '', '^(%d+) (%S+)')
  if ARGV[4] ~= '0' then
    if holder == nil or holder == ARGV[2] or tonumber(expires) <= now then
      redis.call('HSET', KEYS[1], ARGV[1], (now + ARGV[4]) .. ' ' .. ARGV[2] .. ' ' .. ARGV[3])
      redis.call('HSET', KEYS[2], ARGV[1], ARGV[2] .. ' ' .. ARGV[5])
    end
  elseif holder == ARGV[2] then
    -- Another process of that name may have taken over; its entry stays.
    redis.call('HDEL', KEYS[1], ARGV[1])
  end
end
local live, is_live = {}, {}
for name, value in pairs(to_map(redis.call('HGETALL', KEYS[1]))) do
  local expires, node, address = string.match(value, '^(%d+) (%S+) (.*)$')
  if tonumber(expires) > now then
    is_live[name] = true
    for _, part in ipairs({name, node, address}) do live[#live + 1] = part end
  else
    redis.call('HDEL', KEYS[1], name)
  end
end
for name in pairs(to_map(redis.call('HGETALL', KEYS[2]))) do
  if not is_live[name] then redis.call('HDEL', KEYS[2], name) end
end
return live
