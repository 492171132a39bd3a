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

{{- /* An image; argument: dict "root" $ "image" .Values.gateway.image "name" "gateway". */ -}}
{{- define "roomwire.image" -}}
{{- $repository := .image.repository -}}
{{- if not $repository -}}
{{- if not .root.Values.images.registry -}}
{{- fail (printf "%s.image.repository is empty, and so is images.registry: there is no public image of Roomwire. Build and push the images, and say where they are: --set images.registry=REGISTRY/PATH. Where nodes have them already: --set images.registry=docker.io/library, or what they were loaded as. See docs/kubernetes.md, \"Images\"." .name) -}}
{{- end -}}
{{- $repository = printf "%s/roomwire-%s" (trimSuffix "/" .root.Values.images.registry) (lower .name) -}}
{{- end -}}
{{- if .image.digest -}}
{{ $repository }}@{{ .image.digest }}
{{- else -}}
{{ $repository }}:{{ default .root.Chart.AppVersion .image.tag }}
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
{name: {{ $scheme }}, port: {{ include "roomwire.portNumber" . }}, targetPort: http, appProtocol: {{ $scheme }}}
{{- end -}}

{{- define "roomwire.portNumber" -}}
{{ ternary 443 80 (ne .tls.secretName "") }}
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

{{- /* Those of them that the cluster does not have. Where it cannot be asked (`helm template`): all. */ -}}
{{- define "roomwire.missingSecrets" -}}
{{- $missing := list -}}
{{- range include "roomwire.madeSecrets" . | splitList "," | compact -}}
{{- if not (lookup "v1" "Secret" $.Release.Namespace (printf "%s-%s" (include "roomwire.fullname" $) .)) }}{{ $missing = append $missing . }}{{ end -}}
{{- end -}}
{{ join "," $missing }}
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

{{- /* The name of a Job, which cannot be changed once it is there: each revision has its own, and, as all that `helm template`
makes is revision 1, each content. Argument: dict "root" $ "name" NAME "spec" TEXT. */ -}}
{{- define "roomwire.jobName" -}}
{{ .name }}-{{ .root.Release.Revision }}-{{ .spec | sha256sum | trunc 6 }}
{{- end -}}

{{- /* The cluster's API, wherever it is. */ -}}
{{- define "roomwire.apiEdge" -}}
- ports:
    {{- range .Values.networkPolicy.apiPorts }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
{{- end -}}

{{- /* Rules of its own that a kind of pod has in its policy, as YAML. Argument: dict "root" $ "own" .Values.gateway "rules" "extraEgress". */ -}}
{{- define "roomwire.extraRules" -}}
{{- with get (include "roomwire.podValues" . | fromJson) .rules -}}
{{ toYaml . }}
{{- end -}}
{{- end -}}

{{- /* The families of a Service: both, where the cluster has both. */ -}}
{{- define "roomwire.families" -}}
{{- with .Values.service.ipFamilyPolicy }}
ipFamilyPolicy: {{ . }}
{{- end }}
{{- with .Values.service.ipFamilies }}
ipFamilies: {{ toJson . }}
{{- end }}
{{- end -}}

{{- /* How many gateways the Deployment is told, as JSON with "replicas" and "keptOver"; without "replicas": the number is left
to the cluster. Nothing that runs is taken away when the autoscaler is switched on or off:

- on: the number that runs, which the autoscaler then changes; `helm template` sees no number, and tells none.
- off: what runs goes on, until `gateway.replicas` is set to another number than it had then. */ -}}
{{- define "roomwire.replicas" -}}
{{- $name := printf "%s-gateway" (include "roomwire.fullname" .) -}}
{{- $scaling := .Values.gateway.autoscaling -}}
{{- $declared := .Values.gateway.replicas | int -}}
{{- $found := lookup "apps/v1" "Deployment" .Release.Namespace $name -}}
{{- $running := dig "spec" "replicas" 0 $found | int -}}
{{- $made := dict -}}
{{- if $scaling.enabled -}}
{{- if $found -}}
{{- $_ := set $made "replicas" (max $running (int $scaling.minReplicas)) -}}
{{- end -}}
{{- else -}}
{{- $_ := set $made "replicas" $declared -}}
{{- $keptOver := dig "metadata" "annotations" "roomwire.io/replicas-kept-over" "" $found -}}
{{- if or (lookup "autoscaling/v2" "HorizontalPodAutoscaler" .Release.Namespace $name) (eq $keptOver (toString $declared)) -}}
{{- if gt $running $declared -}}
{{- $_ := set $made "replicas" $running -}}
{{- $_ := set $made "keptOver" $declared -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{ toJson $made }}
{{- end -}}
