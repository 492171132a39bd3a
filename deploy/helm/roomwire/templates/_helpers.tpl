{{- define "roomwire.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- /* Short enough for the endings that pods get: a node's name has at most 63 characters. */ -}}
{{- default $full .Values.fullnameOverride | trunc 36 | trimSuffix "-" -}}
{{- end -}}

{{- /* Labels that never change; argument: dict "root" $ "component" "gateway". */ -}}
{{- define "roomwire.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "roomwire.labels" -}}
{{ include "roomwire.selector" . }}
app.kubernetes.io/part-of: roomwire
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* Argument: dict "root" $ "image" .Values.gateway.image. */ -}}
{{- define "roomwire.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ default .root.Chart.AppVersion .image.tag }}
{{- end -}}
{{- end -}}

{{- define "roomwire.redisSecret" -}}
{{ default (printf "%s-redis" (include "roomwire.fullname" .)) .Values.redis.existingSecret }}
{{- end -}}

{{- /* How one talks to a service; argument: .Values.gateway or .Values.auth. */ -}}
{{- define "roomwire.scheme" -}}
{{ ternary "https" "http" (ne .tls.secretName "") }}
{{- end -}}

{{- /* The one port of a Service, named for what is spoken there; argument: as above. */ -}}
{{- define "roomwire.port" -}}
{{- $scheme := include "roomwire.scheme" . -}}
{name: {{ $scheme }}, port: {{ ternary 443 80 (eq $scheme "https") }}, targetPort: http, appProtocol: {{ $scheme }}}
{{- end -}}

{{- /* Annotations by which Traefik speaks TLS to pods, as YAML; argument: dict "root" $ "values" .Values.gateway. */ -}}
{{- define "roomwire.traefikTls" -}}
{{- if and (eq .root.Values.ingress.preset "traefik") .values.tls.secretName -}}
traefik.ingress.kubernetes.io/service.serversscheme: https
{{- with .root.Values.ingress.serversTransport }}
traefik.ingress.kubernetes.io/service.serverstransport: {{ . }}
{{- end }}
{{- end -}}
{{- end -}}

{{- /* The volume with a certificate and its key; argument: as for `roomwire.scheme`. */ -}}
{{- define "roomwire.certificate" -}}
- name: tls
  secret:
    secretName: {{ .tls.secretName }}
    defaultMode: 0440
    items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]
{{- end -}}

{{- /* The volume with the authority of a certificate, which is no secret; argument: dict "name" "auth-ca" "values" .Values.auth. */ -}}
{{- define "roomwire.authority" -}}
- name: {{ .name }}
  secret:
    secretName: {{ .values.tls.secretName }}
    defaultMode: 0440
    items: [{key: ca.crt, path: ca.crt}]
{{- end -}}

{{- define "roomwire.signingKeySecret" -}}
{{ default (printf "%s-signing-key" (include "roomwire.fullname" .)) .Values.auth.signingKey.existingSecret }}
{{- end -}}

{{- define "roomwire.relaySecret" -}}
{{ default (printf "%s-relay" (include "roomwire.fullname" .)) .Values.gateway.relay.existingSecret }}
{{- end -}}

{{- /* Names of the secrets that the Job makes, with commas; empty: none. */ -}}
{{- define "roomwire.madeSecrets" -}}
{{- $made := list -}}
{{- if .Values.secrets.create -}}
{{- if and .Values.redis.enabled (not .Values.redis.existingSecret) }}{{ $made = append $made "redis" }}{{ end -}}
{{- if and .Values.auth.enabled (not .Values.auth.signingKey.existingSecret) }}{{ $made = append $made "signing-key" }}{{ end -}}
{{- if and .Values.gateway.relay.enabled (not .Values.gateway.relay.existingSecret) }}{{ $made = append $made "relay" }}{{ end -}}
{{- end -}}
{{ join "," $made }}
{{- end -}}

{{- /* What every pod is: Pod Security "restricted", no rights in the cluster, no variables from Services. */ -}}
{{- define "roomwire.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- end -}}

{{- /* The same with a token of the cluster, for the few pods that ask it for something. */ -}}
{{- define "roomwire.podThatAsks" -}}
{{ include "roomwire.pod" . | replace "automountServiceAccountToken: false" "automountServiceAccountToken: true" }}
{{- end -}}

{{- define "roomwire.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{- /* Where pods of one kind run; argument: dict "root" $ "component" "gateway" "values" .Values.gateway. */ -}}
{{- define "roomwire.placement" -}}
topologySpreadConstraints:
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels: {{- include "roomwire.selector" (dict "root" $.root "component" $.component) | nindent 8 }}
{{- end }}
{{- include "roomwire.nodes" .values }}
{{- end -}}

{{- define "roomwire.nodes" -}}
{{- with .nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with .tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
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

{{- /* Settings of both services, then those of `settings`, which must not repeat what the chart sets.
Argument: dict "root" $ "own" (dict of variables) "values" .Values.gateway "path" "gateway.settings". */ -}}
{{- define "roomwire.env" -}}
{{- $values := .root.Values -}}
{{- $env := dict
  "HOST" "0.0.0.0"
  "REDIS_URL_FILE" "/run/secrets/redis/url"
  "REDIS_PREFIX" $values.redis.prefix
  "AUTH_ISSUER" $values.tokens.issuer
  "AUTH_AUDIENCE" $values.tokens.audience
  "CORS_ORIGINS" (join "," $values.corsOrigins)
  "TRUSTED_PROXIES" (join "," $values.trustedProxies)
  "LOG_LEVEL" $values.log.level
  "LOG_FORMAT" "json"
-}}
{{- if .values.tls.secretName -}}
{{- $_ := set $env "TLS_CERT_FILE" "/run/secrets/tls/tls.crt" -}}
{{- $_ := set $env "TLS_KEY_FILE" "/run/secrets/tls/tls.key" -}}
{{- end -}}
{{- $env = merge (dict) .own $env -}}
{{- range $name, $value := .values.settings -}}
{{- if or (hasKey $env $name) (hasKey $env (printf "%s_FILE" $name)) (has $name (list "NODE_NAME" "RELAY_HOST" "RELAY_PORT" "RELAY_SECRET" "TLS_CERT_FILE" "TLS_KEY_FILE" "AUTH_JWKS_CA_FILE")) -}}
{{- fail (printf "%s.%s: the chart sets ROOMWIRE_%s itself, from a value of its own." $.path $name $name) -}}
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

{{- /* A peer of this release. */ -}}
{{- define "roomwire.peer" -}}
podSelector: {matchLabels: {{ include "roomwire.selector" . | fromYaml | toJson }}}
{{- end -}}

{{- define "roomwire.dns" -}}
- to: {{- toYaml .Values.networkPolicy.dns | nindent 4 }}
{{- end -}}

{{- define "roomwire.redisEdge" -}}
{{- if .Values.redis.enabled -}}
- to:
    - {{- include "roomwire.peer" (dict "root" . "component" "redis") | nindent 6 }}
  ports: [{port: 6379, protocol: TCP}]
{{- else -}}
- ports:
    {{- range .Values.redis.external.ports }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  {{- with .Values.redis.external.to }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
{{- end -}}

{{- /* The cluster's API, wherever it is. */ -}}
{{- define "roomwire.apiEdge" -}}
- ports:
    {{- range .Values.networkPolicy.apiPorts }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
{{- end -}}

{{- /* Before everything else, and gone when done; argument: dict "weight" "0". */ -}}
{{- define "roomwire.hook" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-weight: {{ .weight | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
