-- Subtracts one from each count that exists.
-- KEYS: counts.
for _, key in ipairs(KEYS) do
    local count = tonumber(redis.call('HGET', key, 'count') or 0)
    if count > 0 then redis.call('HSET', key, 'count', count - 1) end
end
