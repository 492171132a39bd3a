-- Ends all sessions of a user and revokes all tokens that the user has until now.
-- KEYS: revoked, sessions. ARGV: the user's id, lifetime of access tokens in seconds.
-- Returns the sessions that it ended.
local user, for_s = unpack(ARGV)
local ended = finish_all(user, '', for_s)
revoke_user(user, for_s)
return ended
