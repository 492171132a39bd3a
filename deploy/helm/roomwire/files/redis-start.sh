# Writes the users and their passwords to a file system in memory, then starts the server.
set -eu
umask 077
# Redis 7.0 does not know this command and would refuse to start; clients work without it.
case "$(redis-server --version)" in *v=7.0.*) newer='s/ +client|setinfo//' ;; *) newer='' ;; esac
sed -e "s|@gateway-password@|$(cat /run/secrets/redis/gateway-password)|" \
    -e "s|@auth-password@|$(cat /run/secrets/redis/auth-password)|" \
    -e "$newer" \
    /etc/redis/users.acl > /run/redis/users.acl
exec redis-server /etc/redis/redis.conf
