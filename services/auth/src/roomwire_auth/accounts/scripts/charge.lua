-- Charges all counts, or none of them.
-- KEYS: counts. ARGV: window in seconds, end of a window that begins now, then the limit of each count.
-- Returns {0}, or {index of the first full count, end of its window}.
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
