{{- /* Rules of NetworkPolicies, as items of `ingress` or `egress`. */ -}}

{{- /* A peer of this release; argument: dict "root" $ "component" "redis". */ -}}
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

{{- /* The cluster's API, at any address. */ -}}
{{- define "roomwire.apiEdge" -}}
- ports:
    {{- range .Values.networkPolicy.apiPorts }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
{{- end -}}
