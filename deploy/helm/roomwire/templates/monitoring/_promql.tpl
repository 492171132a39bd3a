{{- /* A query for the series of this release, because another release in the namespace has alerts of its own. Each word in capitals is
replaced by the labels that select its series. Argument: dict "root" $ "query" "roomwire_ready{GATEWAYS} == 1". */ -}}
{{- define "roomwire.promql" -}}
{{- $full := include "roomwire.fullname" .root -}}
{{- $series := dict
  "SELECTOR" (printf "pod=~\"%s-(gateway|auth)-.+\"" $full)
  "GATEWAYS" (printf "pod=~\"%s-(gateway)-.+\"" $full)
  "AUTHS" (printf "pod=~\"%s-(auth)-.+\"" $full)
  "JOBS" (printf "job_name=~\"%s-keys-.+\"" $full)
  "ROTATION" (printf "cronjob=\"%s-keys\"" $full)
-}}
{{- $query := .query -}}
{{- range $word, $labels := $series -}}
{{- $query = replace $word (printf "namespace=%q,%s" $.root.Release.Namespace $labels) $query -}}
{{- end -}}
{{ $query }}
{{- end -}}
