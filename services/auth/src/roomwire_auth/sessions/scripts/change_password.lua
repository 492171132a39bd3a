-- An account gets another password; all its sessions end but one.
-- KEYS: revoked, account. ARGV: the account's name and id, changes of its password until now, the new hash, the session
-- that goes on, how long access tokens may last.
-- Returns {'changed', sessions that it ended}, or {'other'} if the account is not what it was.
local name, id, changes, hash, kept, for_s = unpack(ARGV)
if not is_unchanged(name, id, changes) then return {'other'} end
local ended = finish_all(id, kept, for_s)
redis.call('HSET', key('account', name), 'password_hash', hash, 'password_changes', tonumber(changes) + 1)
return {'changed', unpack(ended)}
