{{- /* The files of Redis' ConfigMap, as JSON by their names. */ -}}
{{- define "roomwire.redisFiles" -}}
{{- $files := dict
  "redis.conf" (tpl (.Files.Get "files/redis.conf") .)
  "users.acl" (tpl (.Files.Get "files/users.acl") .)
  "start.sh" (.Files.Get "files/redis-start.sh")
-}}
{{ toJson $files }}
{{- end -}}
