{{- /*
What all pods of the chart have in common: Deployments, the StatefulSet, Jobs, the CronJob and the test. Each of these
templates takes a pod as argument:

  dict "root" $ "component" "gateway"

and, where it differs from others: "asks" true (it gets a token of the cluster's API), "spread" true (it is spread over nodes and zones),
"afterRedis" true (it is scheduled after Redis has a node), "files" (see _files.tpl).
*/ -}}

{{- /* The values that apply only to this pod, as JSON. */ -}}
{{- define "roomwire.own" -}}
{{- $values := .root.Values -}}
{{- $elsewhere := dict "keys" $values.auth.signingKey.rotation "load" $values.loadTest "load-master" $values.loadTest -}}
{{ default (get $values .component) (get $elsewhere .component) | toJson }}
{{- end -}}

{{- /* The values of a pod, as JSON: those of `pods`, overridden by its own. Maps are merged. */ -}}
{{- define "roomwire.podValues" -}}
{{- $made := toJson .root.Values.pods | fromJson -}}
{{- range $name, $value := include "roomwire.own" . | fromJson -}}
{{- if and (kindIs "map" $value) (kindIs "map" (get $made $name)) -}}
{{- $value = include "roomwire.merged" (list (get $made $name) $value) | fromJson -}}
{{- end -}}
{{- $_ := set $made $name $value -}}
{{- end -}}
{{ toJson $made }}
{{- end -}}

{{- /* One map merged over another, as JSON; null removes a value. */ -}}
{{- define "roomwire.merged" -}}
{{- $made := first . -}}
{{- range $name, $value := last . -}}
{{- if kindIs "invalid" $value }}{{ $_ := unset $made $name }}{{ else }}{{ $_ := set $made $name $value }}{{ end -}}
{{- end -}}
{{ toJson $made }}
{{- end -}}

{{- /* The items of a list that values add to a pod; argument: list $pod "extraEnv". */ -}}
{{- define "roomwire.extra" -}}
{{- with get (include "roomwire.podValues" (first .) | fromJson) (last .) -}}
{{ toYaml . }}
{{- end -}}
{{- end -}}

{{- /* Labels and annotations of a pod. They contain no version, so that a new version of the chart alone does not replace the pod.
"annotations" holds the annotations that the chart adds, as a dict. */ -}}
{{- define "roomwire.podMetadata" -}}
{{- $pod := include "roomwire.podValues" . | fromJson -}}
labels: {{- toYaml (merge (include "roomwire.selector" . | fromYaml) (default (dict) $pod.podLabels)) | nindent 2 }}
{{- with merge (dict) (default (dict) .annotations) (default (dict) $pod.podAnnotations) }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* The fields of a pod other than its containers and volumes. */ -}}
{{- define "roomwire.podSpec" -}}
{{- $pod := include "roomwire.podValues" . | fromJson -}}
automountServiceAccountToken: {{ default false .asks }}
enableServiceLinks: false
{{- with include "roomwire.account" . }}
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
{{- with include "roomwire.affinity" . }}
affinity: {{- . | nindent 2 }}
{{- end }}
{{- with include "roomwire.spread" . | trim }}
topologySpreadConstraints: {{- . | nindent 2 }}
{{- end }}
{{- with $pod.extraInitContainers }}
initContainers: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* The ServiceAccount of a pod: the one in the values or, if the pod uses the cluster's API, one that the chart creates. */ -}}
{{- define "roomwire.account" -}}
{{- $made := "" -}}
{{- if .asks }}{{ $made = include "roomwire.name" . }}{{ end -}}
{{ default $made (include "roomwire.podValues" . | fromJson).serviceAccountName }}
{{- end -}}

{{- define "roomwire.affinity" -}}
{{- $affinity := default (dict) (include "roomwire.podValues" . | fromJson).affinity -}}
{{- if and .afterRedis .root.Values.redis.enabled .root.Values.redis.scheduledFirst -}}
{{- /* While Redis waits for a node, pods that need Redis wait too. Otherwise they could take the room that Redis' old pod left. All
nodes with the same operating system have the same value of the key, so these pods may run on any of them. */ -}}
{{- $redis := include "roomwire.selector" (dict "root" .root "component" "redis") | fromYaml -}}
{{- $term := dict "topologyKey" "kubernetes.io/os" "labelSelector" (dict "matchLabels" $redis) -}}
{{- $near := default (dict) $affinity.podAffinity -}}
{{- $terms := append (default (list) $near.requiredDuringSchedulingIgnoredDuringExecution) $term -}}
{{- $_ := set $affinity "podAffinity" (merge (dict "requiredDuringSchedulingIgnoredDuringExecution" $terms) $near) -}}
{{- end -}}
{{- with $affinity }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{- /* With `null` the chart chooses the constraints; an empty list sets none. */ -}}
{{- define "roomwire.spread" -}}
{{- $own := (include "roomwire.podValues" . | fromJson).topologySpreadConstraints -}}
{{- if $own -}}
{{ toYaml $own }}
{{- else if and .spread (kindIs "invalid" $own) -}}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  matchLabelKeys: [pod-template-hash]
  labelSelector:
    matchLabels: {{- include "roomwire.selector" $ | nindent 6 }}
{{- end }}
{{- end -}}
{{- end -}}

{{- /* The fields of the chart's container in a pod, other than its image, command, environment and ports. */ -}}
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
