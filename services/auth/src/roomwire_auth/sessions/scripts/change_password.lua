-- Changes an account's password and ends all its sessions but one.
-- KEYS: revoked, account. ARGV: the account's name and id, the number of password changes so far, the new hash, the
-- session that continues, lifetime of access tokens in seconds.
-- Returns {'changed', sessions that it ended}, or {'other'} if the account has changed.
local name, id, changes, hash, kept, for_s = unpack(ARGV)
if not is_unchanged(name, id, changes) then return {'other'} end
local ended = finish_all(id, kept, for_s)
redis.call('HSET', key('account', name), 'password_hash', hash, 'password_changes', tonumber(changes) + 1)
return {'changed', unpack(ended)}
