# Writes the users with their passwords to memory, then becomes the server.
set -eu
umask 077
sed -e "s|@gateway-password@|$(cat /run/secrets/redis/gateway-password)|" \
    -e "s|@auth-password@|$(cat /run/secrets/redis/auth-password)|" \
    /etc/redis/users.acl > /run/redis/users.acl
exec redis-server /etc/redis/redis.conf
