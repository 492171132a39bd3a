{{- /* The Secrets of a release, in order: whether it needs each, and the value that can name it, as a YAML list. */ -}}
{{- define "roomwire.secrets" -}}
- {kind: redis, needed: {{ .Values.redis.enabled }}, value: redis.existingSecret, existing: {{ toJson .Values.redis.existingSecret }}}
- {kind: signing-key, needed: {{ .Values.auth.enabled }}, value: auth.signingKey.existingSecret, existing: {{ toJson .Values.auth.signingKey.existingSecret }}}
- {kind: relay, needed: {{ .Values.gateway.relay.enabled }}, value: gateway.relay.existingSecret, existing: {{ toJson .Values.gateway.relay.existingSecret }}}
{{- end -}}

{{- /* The name of one of them; argument: dict "root" $ "kind" "redis". */ -}}
{{- define "roomwire.secretName" -}}
{{- range include "roomwire.secrets" .root | fromYamlArray -}}
{{- if eq .kind $.kind -}}
{{ default (printf "%s-%s" (include "roomwire.fullname" $.root) .kind) .existing }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The kinds of Secrets that the Job creates, separated by commas; empty if there are none. */ -}}
{{- define "roomwire.madeSecrets" -}}
{{- $made := list -}}
{{- range include "roomwire.secrets" . | fromYamlArray -}}
{{- if and $.Values.secrets.create .needed (not .existing) }}{{ $made = append $made .kind }}{{ end -}}
{{- end -}}
{{ join "," $made }}
{{- end -}}

{{- /* The kinds among them whose Secrets are missing in the cluster, or all kinds if the cluster cannot be queried (`helm template`). The
cluster is queried once; the answer is stored in the values, so that all files see the same answer. */ -}}
{{- define "roomwire.missingSecrets" -}}
{{- if not (hasKey .Values "missingSecrets") -}}
{{- $missing := list -}}
{{- range include "roomwire.madeSecrets" . | splitList "," | compact -}}
{{- $name := include "roomwire.secretName" (dict "root" $ "kind" .) -}}
{{- if not (lookup "v1" "Secret" $.Release.Namespace $name) }}{{ $missing = append $missing . }}{{ end -}}
{{- end -}}
{{- $_ := set .Values "missingSecrets" (join "," $missing) -}}
{{- end -}}
{{ .Values.missingSecrets }}
{{- end -}}
