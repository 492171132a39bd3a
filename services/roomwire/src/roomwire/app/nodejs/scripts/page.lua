-- Reads what was appended to a stream after a position. KEYS: stream. ARGV: position (empty: only the end is asked for), maximum number of
-- entries, maximum bytes of all (a first entry may exceed them), maximum bytes of one. Returns the id of the last entry that was ever
-- appended, the number of those that were, the number of those that are left; then of each entry: id, and its fields, or the number of
-- its bytes if there are too many.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'0-0', 0, 0} end
local info, flat = {}, redis.call('XINFO', 'STREAM', KEYS[1])
for i = 1, #flat, 2 do info[flat[i]] = flat[i + 1] end
local page = {info['last-generated-id'], info['entries-added'], info['length']}
if ARGV[1] == '' then return page end
local bytes = 0
for i, entry in ipairs(redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])) do
  local size = 0
  for _, part in ipairs(entry[2]) do size = size + #part end
  local is_large = size > tonumber(ARGV[4])
  bytes = bytes + (is_large and 0 or size)
  if i > 1 and bytes > tonumber(ARGV[3]) then break end
  page[#page + 1] = entry[1]
  page[#page + 1] = is_large and size or entry[2]
end
return page
