-- Reads pages of streams. KEYS: log, streams. ARGV: epoch, maximum entries and maximum bytes of a page; then for each stream:
-- cursor, last wanted position. A page begins at the cursor, inclusive, and has at least two entries if the stream does.
-- Returns for each: false if it is absent, else {1 if whole, 1 if there is more, positions and messages, position of the last
-- entry that it has had}. A page is
-- whole if the stream still holds an entry at or before the cursor, has never been trimmed, or has got nothing after the cursor.
if is_stale() then return redis.error_reply(STALE) end
local most, most_bytes = tonumber(ARGV[2]), tonumber(ARGV[3])

local function page(key, cursor, last)
  if redis.call('EXISTS', key) == 0 then return false end
  local info = to_map(redis.call('XINFO', 'STREAM', key))
  local first = info['first-entry']
  local is_anchored = first and tonumber(string.match(first[1], '^%d+')) <= tonumber(cursor)
  local newest = tonumber(string.match(info['last-generated-id'], '^%d+'))
  local is_old = newest <= tonumber(cursor)
  local is_whole = is_anchored or is_old or info['entries-added'] == info['length']
  local flat, size = {}, 0
  local entries = redis.call('XRANGE', key, cursor, last, 'COUNT', most)
  local has_more = #entries == most
  for i, entry in ipairs(entries) do
    size = size + #entry[2][2]
    if i > 2 and size > most_bytes then
      has_more = true
      break
    end
    flat[#flat + 1] = tonumber(string.match(entry[1], '^%d+'))
    flat[#flat + 1] = entry[2][2]
  end
  return {is_whole and 1 or 0, has_more and 1 or 0, flat, newest}
end

local pages = {}
for i = 1, #KEYS - 1 do pages[i] = page(KEYS[i + 1], ARGV[2 + 2 * i], ARGV[3 + 2 * i]) end
return pages
