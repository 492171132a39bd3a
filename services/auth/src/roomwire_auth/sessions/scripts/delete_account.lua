-- An account is deleted; all its sessions end, and all its tokens are revoked.
-- KEYS: revoked, account. ARGV: the account's name and id, changes of its password until now, how long access tokens may
-- last.
-- Returns {'changed', sessions that it ended}, or {'other'} if the account is not what it was.
local name, id, changes, for_s = unpack(ARGV)
if not is_unchanged(name, id, changes) then return {'other'} end
local ended = finish_all(id, '', for_s)
redis.call('DEL', key('account', name))
revoke_user(id, for_s)
return {'changed', unpack(ended)}
