-- All sessions of a user end, and all tokens that the user has until now are revoked.
-- KEYS: revoked, sessions. ARGV: the user's id, how long access tokens may last.
-- Returns the sessions that it ended.
local user, for_s = unpack(ARGV)
local ended = finish_all(user, '', for_s)
revoke_user(user, for_s)
return ended
