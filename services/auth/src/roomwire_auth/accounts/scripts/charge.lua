-- Charges all counts or none.
-- KEYS: counts. ARGV: window in seconds, when a window that begins now ends, then the limit of each count.
-- Returns {0}, or {place of the first that is full, when its window ends}.
for place, key in ipairs(KEYS) do
    local count, ends = unpack(redis.call('HMGET', key, 'count', 'ends'))
    if count and tonumber(count) >= tonumber(ARGV[place + 2]) then return {place, ends} end
end
for place, key in ipairs(KEYS) do
    local count = redis.call('HGET', key, 'count')
    redis.call('HSET', key, 'count', (count or 0) + 1)
    if not count then
        redis.call('HSET', key, 'ends', ARGV[2])
        redis.call('EXPIRE', key, ARGV[1])
    end
end
return {0}
