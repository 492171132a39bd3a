-- Begins a ban or a mute.
-- KEYS: the ban or mute. ARGV: its duration in milliseconds.
redis.call('SET', KEYS[1], string.format('%.0f', now + ARGV[1]), 'PX', ARGV[1])
