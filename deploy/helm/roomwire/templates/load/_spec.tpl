{{- /* The spec of the Job of the load test's master, or of its workers; argument: the pod, of component load-master or load. */ -}}
{{- define "roomwire.loadSpec" -}}
{{- $load := .root.Values.loadTest -}}
{{- $leads := eq .component "load-master" -}}
{{- $count := $leads | ternary 1 $load.workers -}}
parallelism: {{ $count }}
completions: {{ $count }}
# A failed run is not repeated, because a measurement with only some of the users is worthless.
backoffLimit: 0
activeDeadlineSeconds: {{ add (ceil $load.seconds) 600 }}
template:
  metadata: {{- include "roomwire.podMetadata" . | nindent 4 }}
  spec:
    {{- include "roomwire.podSpec" . | nindent 4 }}
    restartPolicy: Never
    containers:
      - name: load
        {{- include "roomwire.image" (dict "root" .root "part" "loadTest") | nindent 8 }}
        args: {{ include "roomwire.loadArguments" . }}
        {{- include "roomwire.container" . | nindent 8 }}
        {{- with include "roomwire.extra" (list . "extraEnv") }}
        env: {{- . | nindent 10 }}
        {{- end }}
        {{- if $leads }}
        ports:
          - {name: master, containerPort: 5557}
        {{- end }}
        volumeMounts:
          - {name: tmp, mountPath: /tmp}
          {{- include "roomwire.extra" (list . "extraVolumeMounts") | nindent 10 }}
      {{- include "roomwire.extra" (list . "extraContainers") | nindent 6 }}
    volumes:
      - name: tmp
        emptyDir: {sizeLimit: 1Gi}
      {{- include "roomwire.extra" (list . "extraVolumes") | nindent 6 }}
{{- end -}}

{{- /* The arguments of the load test as JSON. Master and workers run the same program. */ -}}
{{- define "roomwire.loadArguments" -}}
{{- $load := .root.Values.loadTest -}}
{{- $ingress := .root.Values.ingress -}}
{{- $scheme := $ingress.tls.secretName | empty | ternary "http" "https" -}}
{{- $url := default (printf "%s://%s" $scheme $ingress.host) $load.url -}}
{{- $both := list "--scenario" $load.scenario "--seconds" (toString $load.seconds) "--url" $url -}}
{{- if eq .component "load-master" -}}
{{ list "--users" (toString $load.users) "--master" (toString $load.workers) "--out" "/tmp/load" | concat $both | toJson }}
{{- else -}}
{{ list "--worker" (printf "%s-load" (include "roomwire.fullname" .root)) | concat $both | toJson }}
{{- end -}}
{{- end -}}
