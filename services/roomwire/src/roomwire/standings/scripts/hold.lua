-- Lets a ban or a mute hold from now on.
-- KEYS: the ban or mute. ARGV: for how many milliseconds.
redis.call('SET', KEYS[1], string.format('%.0f', now + ARGV[1]), 'PX', ARGV[1])
