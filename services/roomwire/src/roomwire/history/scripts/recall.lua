-- Reads a part of a room's history within a number of bytes, so that nothing more leaves Redis.
--
-- KEYS[1]  the stream of the history
-- ARGV[1]  the position after or before which the part begins; empty for the newest entries
-- ARGV[2]  'after': upwards from the position. 'before': downwards from it, or from the newest entry
-- ARGV[3]  the maximum number of entries
-- ARGV[4]  the maximum number of their bytes; the first entry is returned whatever its size
--
-- Returns whether the entry at the position exists, whether more entries follow in that direction, and position and entry in turn.

local PAGE = 16
local position, most, budget = ARGV[1], 2 * tonumber(ARGV[3]), tonumber(ARGV[4])
local command, from, to = 'XREVRANGE', '+', '-'
if ARGV[2] == 'after' then
    command, from, to = 'XRANGE', '-', '+'
end
if position ~= '' then
    from = '(' .. position
end
local found, bytes, more = {}, 0, 0
while more == 0 do
    local page = redis.call(command, KEYS[1], from, to, 'COUNT', PAGE)
    for _, one in ipairs(page) do
        bytes = bytes + #one[2][2]
        if #found == most or (#found > 0 and bytes > budget) then
            more = 1
            break
        end
        found[#found + 1] = one[1]
        found[#found + 1] = one[2][2]
    end
    if #page < PAGE then
        break
    end
    from = '(' .. page[#page][1]
end
local joined = 0
if position ~= '' then
    joined = #redis.call('XRANGE', KEYS[1], position, position)
end
return {joined, more, found}
