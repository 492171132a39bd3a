-- The histories of rooms, behind guard. Their bytes are counted in blocks: the newest entry of a history has, beside the entry, its class
-- and the bytes since the last block.
-- An emitter, which has no limits and may not count, keeps a history as small as gateways do by default, and leaves what it added to be
-- charged by the next gateway that adds to it.
local BEGINNING_BYTES, BLOCK_BYTES, ENTRY_BYTES, MOST_BYTES = 4420, 8192, 32, 1048576

-- Appends an entry to a history. `newest` is its newest entry before. A new history needs room, as everything that is new.
local function keep_entry(prefix, limits, stream, key, newest, entry, entries, ttl_s)
  local class, since = string.match(newest[1] and newest[1][2][4] or '', '^(%a+) (%d+)$')
  local bytes = #entry + ENTRY_BYTES
  if limits == '' then
    local most = math.min(tonumber(entries), math.max(1, math.floor(MOST_BYTES / bytes)))
    if class then
      redis.call('XADD', key, 'MAXLEN', most, '*', 'e', entry, 'c', class .. ' ' .. string.format('%d', since + bytes))
    else
      redis.call('XADD', key, 'MAXLEN', most, '*', 'e', entry)
    end
    redis.call('EXPIRE', key, ttl_s)
    return
  end
  local of_room, guest_ttl_s = string.match(limits, '^%S+ %S+ %S+ %S+ %S+ (%d+) (%d+)')
  local name = string.sub(key, #prefix + 9)
  if class then
    since = tonumber(since) + bytes
    if since >= BLOCK_BYTES then
      pcall(guard().charge, prefix, limits, class, name, since)
      since = 0
    end
  else
    local is_known, of_members = pcall(guard().class_of_members, prefix, stream)
    class, since = is_known and of_members or 'guests', 0
    if not newest[1] then
      local has, may = pcall(guard().has_room, prefix, limits, class, bytes + BEGINNING_BYTES)
      if has and not may then
        pcall(redis.call, 'HINCRBY', prefix .. 'guard', 'unkept', 1)
        return
      end
    end
    pcall(guard().charge, prefix, limits, class, name, bytes + BEGINNING_BYTES)
  end
  local most = math.min(tonumber(entries), math.max(1, math.floor(tonumber(of_room) / bytes)))
  redis.call('XADD', key, 'MAXLEN', most, '*', 'e', entry, 'c', class .. ' ' .. since)
  redis.call('EXPIRE', key, class == 'guests' and math.min(tonumber(ttl_s), tonumber(guest_ttl_s)) or ttl_s)
end
