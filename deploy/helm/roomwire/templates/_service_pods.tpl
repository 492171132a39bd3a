{{- /* The common parts of the pods of both services, gateways and auth. Argument: the pod, with "set", its settings as a dict. */ -}}

{{- /* Not empty if an external Redis has a CA certificate of its own. */ -}}
{{- define "roomwire.believesRedis" -}}
{{- if not .Values.redis.enabled }}{{ .Values.redis.external.caSecret }}{{ end -}}
{{- end -}}

{{- /* Files of Secrets that both services read, as items of a list. */ -}}
{{- define "roomwire.serviceFiles" -}}
- name: redis
  secret: {{ include "roomwire.secretName" (dict "root" .root "kind" "redis") | toJson }}
  items: {"{{ .component }}-url": url}
{{- with (get .root.Values .component).tls.secretName }}
- name: tls
  secret: {{ toJson . }}
  items: {tls.crt: tls.crt, tls.key: tls.key}
{{- end }}
{{- with include "roomwire.believesRedis" .root }}
- name: redis-ca
  secret: {{ toJson . }}
  items: {ca.crt: ca.crt}
{{- end }}
{{- end -}}

{{- /* Settings of both services, as YAML. */ -}}
{{- define "roomwire.serviceSettings" -}}
{{- $values := .root.Values -}}
REDIS_URL_FILE: /run/secrets/redis/url
REDIS_PREFIX: {{ toJson $values.redis.prefix }}
AUTH_ISSUER: {{ toJson $values.tokens.issuer }}
AUTH_AUDIENCE: {{ toJson $values.tokens.audience }}
CORS_ORIGINS: {{ join "," $values.corsOrigins | toJson }}
TRUSTED_PROXIES: {{ join "," $values.trustedProxies | toJson }}
LOG_LEVEL: {{ $values.log.level }}
LOG_FORMAT: json
{{- if (get $values .component).tls.secretName }}
TLS_CERT_FILE: /run/secrets/tls/tls.crt
TLS_KEY_FILE: /run/secrets/tls/tls.key
{{- end }}
{{- if include "roomwire.believesRedis" .root }}
REDIS_CA_FILE: /run/secrets/redis-ca/ca.crt
{{- end }}
{{- if include "roomwire.policyMap" .root }}
POLICY_FILE: /etc/roomwire/policy/policy.toml
{{- end }}
{{- end -}}

{{- /* The text of a setting. Numbers of values files are floats, which would be written as 3e+06. */ -}}
{{- define "roomwire.settingText" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) }}{{ printf "%.0f" . }}{{ else }}{{ toString . }}{{ end -}}
{{- end -}}

{{- /* The settings of a service as environment variables: the settings of the chart, and those in `settings`, which must not repeat them. */ -}}
{{- define "roomwire.env" -}}
{{- $chart := merge (dict) .set (include "roomwire.serviceSettings" . | fromYaml) -}}
{{- $own := (get .root.Values .component).settings -}}
{{- $reserved := list "NODE_NAME" "RELAY_HOST" "RELAY_PORT" "RELAY_SECRET" "TLS_CERT_FILE" "TLS_KEY_FILE" "AUTH_JWKS_CA_FILE" -}}
{{- range $name, $_ := $own -}}
{{- if or (has $name $reserved) (hasKey $chart $name) (hasKey $chart (printf "%s_FILE" $name)) -}}
{{- fail (printf "%s.settings.%s: the chart sets ROOMWIRE_%s itself, from a value of its own." $.component $name $name) -}}
{{- end -}}
{{- end -}}
- name: ROOMWIRE_NODE_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- range $name, $value := merge (dict) $own $chart }}
- name: ROOMWIRE_{{ $name }}
  value: {{ include "roomwire.settingText" $value | quote }}
{{- end }}
{{- end -}}

{{- /* Annotations that replace pods when files that are read only once change, as YAML. */ -}}
{{- define "roomwire.checksums" -}}
{{- with .Values.policy.file -}}
checksum/policy: {{ sha256sum . }}
{{- end -}}
{{- end -}}

{{- /* Three probes: the service has started (Redis answered), its event loop runs, and it accepts traffic. */ -}}
{{- define "roomwire.probes" -}}
startupProbe:
  httpGet: {path: /readyz, port: ops}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 150
livenessProbe:
  httpGet: {path: /livez, port: ops}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: ops}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
{{- end -}}

{{- define "roomwire.serviceMounts" -}}
{{ include "roomwire.secretMounts" . }}
{{ include "roomwire.policyMount" . }}
- {name: tmp, mountPath: /tmp}
{{ include "roomwire.extra" (list . "extraVolumeMounts") }}
{{- end -}}

{{- define "roomwire.serviceVolumes" -}}
{{ include "roomwire.secretVolumes" . }}
{{ include "roomwire.policyVolume" . }}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{ include "roomwire.extra" (list . "extraVolumes") }}
{{- end -}}
