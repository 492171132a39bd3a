# Writes the users with their passwords to memory, then becomes the server.
set -eu
umask 077
# A server does not start with the name of a command that it does not know; clients do without this one.
case "$(redis-server --version)" in *v=7.0.*) newer='s/ +client|setinfo//' ;; *) newer='' ;; esac
sed -e "s|@gateway-password@|$(cat /run/secrets/redis/gateway-password)|" \
    -e "s|@auth-password@|$(cat /run/secrets/redis/auth-password)|" \
    -e "$newer" \
    /etc/redis/users.acl > /run/redis/users.acl
exec redis-server /etc/redis/redis.conf
