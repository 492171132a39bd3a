-- Takes an attempt back that neither failed nor succeeded, with the wait that it caused.
-- KEYS: the account's failures.
local failures = tonumber(redis.call('HGET', KEYS[1], 'failures') or 0)
if failures > 0 then redis.call('HSET', KEYS[1], 'failures', failures - 1, 'ends', 0) end
