-- Measures large streams after a publish, and empties others if all together are too large (see sizes). It follows one publish in 128 KiB
-- on average. KEYS: log, streams. ARGV: '', prefix. Returns nothing.
local sized, prefix = sizes(), ARGV[2]
for i = 2, #KEYS do sized.measure(prefix, string.sub(KEYS[i], #prefix + 6)) end
if sized.is_too_much(prefix) then sized.settle(prefix) end
