-- Deletes an account, ends all its sessions and revokes all its tokens.
-- KEYS: revoked, account. ARGV: the account's name and id, the number of password changes so far, lifetime of access
-- tokens in seconds.
-- Returns {'changed', sessions that it ended}, or {'other'} if the account has changed.
local name, id, changes, for_s = unpack(ARGV)
if not is_unchanged(name, id, changes) then return {'other'} end
local ended = finish_all(id, '', for_s)
redis.call('DEL', key('account', name))
revoke_user(id, for_s)
return {'changed', unpack(ended)}
