{{- /* The number of gateways in the Deployment, as JSON with "replicas" and "keptOver". Without "replicas" the cluster keeps its
number. Switching the autoscaler on or off removes no running gateway:

- When it is switched on, the number stays as it is in the cluster until the autoscaler changes it. `helm template` cannot see that
  number and sets none.
- When it is switched off, the running gateways stay until `gateway.replicas` is set to a different number. */ -}}
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
