{{- /*
What all pods of the chart have in common: Deployments, the StatefulSet, Jobs, the CronJob and the test. Each of these
templates takes a pod as argument:

  dict "root" $ "component" "gateway" "own" .Values.gateway

and, where it differs from others: "asks" true (it has a token of the cluster), "account" NAME (the ServiceAccount that the
chart makes for it), "spread" true (over nodes and zones), "afterRedis" true (it gets a node once Redis has one).
*/ -}}

{{- /* The values of a pod, as JSON: those of `pods`, and over them its own. Maps are merged, null takes away. */ -}}
{{- define "roomwire.podValues" -}}
{{- $made := dict -}}
{{- range $name, $value := .root.Values.pods }}{{ $_ := set $made $name $value }}{{ end -}}
{{- range $name, $value := .own -}}
{{- if and (kindIs "map" $value) (kindIs "map" (get $made $name)) -}}
{{- $merged := dict -}}
{{- range $key, $inner := get $made $name }}{{ $_ := set $merged $key $inner }}{{ end -}}
{{- range $key, $inner := $value -}}
{{- if kindIs "invalid" $inner }}{{ $_ := unset $merged $key }}{{ else }}{{ $_ := set $merged $key $inner }}{{ end -}}
{{- end -}}
{{- $_ := set $made $name $merged -}}
{{- else -}}
{{- $_ := set $made $name $value -}}
{{- end -}}
{{- end -}}
{{ toJson $made }}
{{- end -}}

{{- /* Labels and annotations of a pod. No version is among them: a pod is replaced when it changes itself, and not with the
chart. "annotations": those that the chart adds, as a dict. */ -}}
{{- define "roomwire.podMetadata" -}}
{{- $pod := include "roomwire.podValues" . | fromJson -}}
labels:
  {{- $own := include "roomwire.selector" . | fromYaml }}
  {{- toYaml (merge $own (default (dict) $pod.podLabels)) | nindent 2 }}
{{- with merge (dict) (default (dict) .annotations) (default (dict) $pod.podAnnotations) }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* What a pod is beside its containers and volumes. */ -}}
{{- define "roomwire.podSpec" -}}
{{- $pod := include "roomwire.podValues" . | fromJson -}}
automountServiceAccountToken: {{ default false .asks }}
enableServiceLinks: false
{{- with default .account $pod.serviceAccountName }}
serviceAccountName: {{ . }}
{{- end }}
{{- with $pod.podSecurityContext }}
securityContext: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- with $pod.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with $pod.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- with $pod.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- $affinity := default (dict) $pod.affinity }}
{{- if and .afterRedis .root.Values.redis.enabled .root.Values.redis.scheduledFirst }}
{{- /* While Redis waits for a node, it waits alone: what it left when it was replaced is not taken by pods that cannot
work without it. Every node of a cluster is on this side of the key. */ -}}
{{- $term := dict "topologyKey" "kubernetes.io/os" "labelSelector" (dict "matchLabels" (include "roomwire.selector" (dict "root" .root "component" "redis") | fromYaml)) }}
{{- $near := default (dict) $affinity.podAffinity }}
{{- $terms := append (default (list) $near.requiredDuringSchedulingIgnoredDuringExecution) $term }}
{{- $affinity = merge (dict "podAffinity" (merge (dict "requiredDuringSchedulingIgnoredDuringExecution" $terms) $near)) $affinity }}
{{- end }}
{{- with $affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if $pod.topologySpreadConstraints }}
topologySpreadConstraints: {{- toYaml $pod.topologySpreadConstraints | nindent 2 }}
{{- else if and .spread (kindIs "invalid" $pod.topologySpreadConstraints) }}
topologySpreadConstraints:
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels: {{- include "roomwire.selector" $ | nindent 8 }}
{{- end }}
{{- end }}
{{- with $pod.extraInitContainers }}
initContainers: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* What the chart's container of a pod is, beside its image, command, environment and ports. */ -}}
{{- define "roomwire.container" -}}
{{- $pod := include "roomwire.podValues" . | fromJson -}}
{{- with $pod.securityContext }}
securityContext: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $pod.resources }}
resources: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $pod.extraEnvFrom }}
envFrom: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* What a pod has of one kind beyond what the chart gives it, as items of a list; argument: the pod and "extra" "extraEnv". */ -}}
{{- define "roomwire.extra" -}}
{{- with get (include "roomwire.podValues" . | fromJson) .extra -}}
{{ toYaml . }}
{{- end -}}
{{- end -}}

{{- /* The mode of files with secrets: without a group that is known, they are for whoever runs in the pod. */ -}}
{{- define "roomwire.secretMode" -}}
{{- $pod := include "roomwire.podValues" . | fromJson -}}
{{- dig "fsGroup" 0 (default (dict) $pod.podSecurityContext) | int | eq 0 | ternary "0444" "0440" -}}
{{- end -}}

{{- /* Files of Secrets: their volumes, and where the container finds them. Argument: the pod, and "files", a list of dicts
"name" (of the volume), "secret", "items" (keys and their paths below /run/secrets/NAME). */ -}}
{{- define "roomwire.secretVolumes" -}}
{{- range .files }}
- name: {{ .name }}
  secret:
    secretName: {{ .secret }}
    defaultMode: {{ include "roomwire.secretMode" $ }}
    items:
      {{- range $key, $path := .items }}
      - {key: {{ $key }}, path: {{ $path }}}
      {{- end }}
{{- end }}
{{- end -}}

{{- define "roomwire.secretMounts" -}}
{{- range .files }}
- {name: {{ .name }}, mountPath: /run/secrets/{{ .name }}, readOnly: true}
{{- end }}
{{- end -}}

{{- /* Three questions: has it started (Redis answered), does its event loop turn, does it want traffic. */ -}}
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

{{- /* Files of Secrets that both services read, as a JSON list; argument: the pod. */ -}}
{{- define "roomwire.serviceFiles" -}}
{{- $values := .root.Values -}}
{{- $files := list (dict "name" "redis" "secret" (include "roomwire.redisSecret" .root) "items" (dict (printf "%s-url" .component) "url")) -}}
{{- with .own.tls.secretName -}}
{{- $files = append $files (dict "name" "tls" "secret" . "items" (dict "tls.crt" "tls.crt" "tls.key" "tls.key")) -}}
{{- end -}}
{{- if include "roomwire.believesRedis" .root -}}
{{- $files = append $files (dict "name" "redis-ca" "secret" $values.redis.external.caSecret "items" (dict "ca.crt" "ca.crt")) -}}
{{- end -}}
{{ toJson $files }}
{{- end -}}

{{- /* Not empty: another Redis is believed by an authority of its own. */ -}}
{{- define "roomwire.believesRedis" -}}
{{- if not .Values.redis.enabled }}{{ .Values.redis.external.caSecret }}{{ end -}}
{{- end -}}

{{- /* The ConfigMap with the policy; empty: the services' own. */ -}}
{{- define "roomwire.policyMap" -}}
{{- if .Values.policy.file -}}
{{ include "roomwire.fullname" . }}-policy
{{- else -}}
{{ .Values.policy.existingConfigMap }}
{{- end -}}
{{- end -}}

{{- define "roomwire.policyMount" -}}
{{- if include "roomwire.policyMap" .root }}
- {name: policy, mountPath: /etc/roomwire/policy, readOnly: true}
{{- end }}
{{- end -}}

{{- define "roomwire.policyVolume" -}}
{{- with include "roomwire.policyMap" .root }}
- name: policy
  configMap:
    name: {{ . }}
    items: [{key: policy.toml, path: policy.toml}]
{{- end }}
{{- end -}}

{{- /* What of files that are read once replaces a service's pods, as annotations: YAML. */ -}}
{{- define "roomwire.checksums" -}}
{{- with .root.Values.policy.file -}}
checksum/policy: {{ sha256sum . }}
{{- end -}}
{{- end -}}

{{- /* Settings of both services, then those of `settings`, which must not repeat what the chart sets.
Argument: the pod, and "set" (dict of variables). */ -}}
{{- define "roomwire.env" -}}
{{- $values := .root.Values -}}
{{- $env := dict
  "REDIS_URL_FILE" "/run/secrets/redis/url"
  "REDIS_PREFIX" $values.redis.prefix
  "AUTH_ISSUER" $values.tokens.issuer
  "AUTH_AUDIENCE" $values.tokens.audience
  "CORS_ORIGINS" (join "," $values.corsOrigins)
  "TRUSTED_PROXIES" (join "," $values.trustedProxies)
  "LOG_LEVEL" $values.log.level
  "LOG_FORMAT" "json"
-}}
{{- if .own.tls.secretName -}}
{{- $_ := set $env "TLS_CERT_FILE" "/run/secrets/tls/tls.crt" -}}
{{- $_ := set $env "TLS_KEY_FILE" "/run/secrets/tls/tls.key" -}}
{{- end -}}
{{- if include "roomwire.believesRedis" .root -}}
{{- $_ := set $env "REDIS_CA_FILE" "/run/secrets/redis-ca/ca.crt" -}}
{{- end -}}
{{- if include "roomwire.policyMap" .root -}}
{{- $_ := set $env "POLICY_FILE" "/etc/roomwire/policy/policy.toml" -}}
{{- end -}}
{{- $env = merge (dict) .set $env -}}
{{- range $name, $value := .own.settings -}}
{{- if or (hasKey $env $name) (hasKey $env (printf "%s_FILE" $name)) (has $name (list "NODE_NAME" "RELAY_HOST" "RELAY_PORT" "RELAY_SECRET" "TLS_CERT_FILE" "TLS_KEY_FILE" "AUTH_JWKS_CA_FILE")) -}}
{{- fail (printf "%s.settings.%s: the chart sets ROOMWIRE_%s itself, from a value of its own." $.component $name $name) -}}
{{- end -}}
{{- $_ := set $env $name $value -}}
{{- end -}}
- name: ROOMWIRE_NODE_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- range $name, $value := $env }}
- name: ROOMWIRE_{{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- end -}}
